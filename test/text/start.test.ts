import { describe, expect, test } from "vitest";
import { byteTokenizer } from "../../src/text/byte.ts";
import { loadTokenizer } from "../../src/text/load.ts";
import { withMembers, withStartToken } from "../../src/text/start.ts";

type Files = Map<string, Uint8Array>;
const encode = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const decode = (files: Files, name: string): string => new TextDecoder().decode(files.get(name));
const parse = (files: Files, name: string) => JSON.parse(decode(files, name));

/** The byte tokenizer's files with other things said; `<s>` and `<e>` are tokens 257 and 258. */
function filesWith(post: unknown, config: object = {}): Files {
  const files = byteTokenizer().files();
  const json = parse(files, "tokenizer.json");
  for (const [i, content] of ["<s>", "<e>"].entries()) json.added_tokens.push({ id: 257 + i, content, special: true });
  files.set("tokenizer.json", encode({ ...json, post_processor: post }));
  return files.set("tokenizer_config.json", encode({ ...parse(files, "tokenizer_config.json"), ...config }));
}

const text = { Sequence: { id: "A", type_id: 0 } };
const special = (content: string) => ({ SpecialToken: { id: content, type_id: 0 } });
const known = Object.fromEntries(
  [["<s>", 257] as const, ["<e>", 258] as const].map(([content, id]) => [
    content,
    { id: content, ids: [id], tokens: [content] },
  ]),
);
const template = (...single: object[]) => ({ type: "TemplateProcessing", single, pair: single, special_tokens: known });
const byteLevel = { type: "ByteLevel", add_prefix_space: true, trim_offsets: false, use_regex: true };

describe("what texts start with", () => {
  // As transformers 5.18 reads the same files, but for older settings beside a tokenizer.json that says nothing.
  test.each<[title: string, post: unknown, config: object, starts: boolean, ids: number[]]>([
    ["a template", template(special("<s>"), text), {}, true, [257]],
    ["a template that ends texts as well", template(special("<s>"), text, special("<e>")), {}, true, [257]],
    ["a template that only ends texts", template(text, special("<e>")), {}, false, [256]],
    ["two tokens", template(special("<s>"), special("<e>"), text), {}, true, [257, 258]],
    [
      "a template in a sequence",
      { type: "Sequence", processors: [byteLevel, template(special("<s>"), text)] },
      {},
      true,
      [257],
    ],
    ["RoBERTa's kind", { type: "RobertaProcessing", sep: ["<e>", 258], cls: ["<s>", 257] }, {}, true, [257]],
    ["bytes alone", byteLevel, {}, false, [256]],
    ["bytes alone, whatever the settings say", byteLevel, { add_bos_token: true }, false, [256]],
    ["a template, whatever the settings say", template(special("<s>"), text), { add_bos_token: false }, true, [257]],
    ["older settings", null, { add_bos_token: true, bos_token: "<s>" }, true, [257]],
    ["nothing, with a start token", null, { bos_token: { content: "<s>" } }, false, [257]],
    ["nothing", null, { add_bos_token: false }, false, [256]],
  ])("%s", (_title, post, config, starts, ids) => {
    const tokenizer = loadTokenizer(filesWith(post, config));
    expect(tokenizer.startsTexts).toBe(starts);
    expect(tokenizer.startIds).toEqual(ids);
    expect(tokenizer.endId).toBe(256);
    expect([...tokenizer.encode("a<e>")]).toEqual([97, 258]);
  });

  test("vocab.json and merges.txt with settings", () => {
    const vocab = parse(byteTokenizer().files(), "tokenizer.json").model.vocab;
    const files = (config: object): Files =>
      new Map([
        ["vocab.json", encode(vocab)],
        ["merges.txt", encode("#version: 0.2\n")],
        ["added_tokens.json", encode({ "<s>": 257 })],
        ["tokenizer_config.json", encode(config)],
      ]);
    expect(loadTokenizer(files({}))).toMatchObject({ startsTexts: false, startIds: [256], endId: 256 });
    expect(loadTokenizer(files({ add_bos_token: true }))).toMatchObject({ startsTexts: true, startIds: [256] });
    const own = { add_bos_token: true, bos_token: "<s>" };
    expect(loadTokenizer(files(own))).toMatchObject({ startsTexts: true, startIds: [257] });
  });

  test("a template with a token that the vocabulary lacks is refused", () => {
    expect(() => loadTokenizer(filesWith(template(special("<x>"), text)))).toThrow(/begins texts with "<x>"/);
  });
});

describe("files that shall say that texts start with the start token", () => {
  test.each<[title: string, post: unknown, config: object]>([
    ["bytes alone", byteLevel, {}],
    ["nothing", null, { bos_token: "<s>" }],
    ["a template without a start", template(text, special("<e>")), {}],
    ["a sequence", { type: "Sequence", processors: [byteLevel, template(text)] }, { bos_token: "<s>" }],
    ["a sequence without a template", { type: "Sequence", processors: [byteLevel] }, {}],
    ["no word about a start token", null, { bos_token: null }],
  ])("%s: then they do, and say all else as before", (_title, post, config) => {
    const before = filesWith(post, config);
    const tokenizer = loadTokenizer(before);
    const after = withStartToken(before, tokenizer);
    const again = loadTokenizer(after);
    expect(again).toMatchObject({ startsTexts: true, startIds: tokenizer.startIds, endId: tokenizer.endId });
    const { post_processor: then, ...others } = parse(before, "tokenizer.json");
    const { post_processor: now, ...same } = parse(after, "tokenizer.json");
    expect(same).toEqual(others);
    if (then?.type === "TemplateProcessing") expect(now.single.slice(1)).toEqual(then.single);
    const start = tokenizer.decode(tokenizer.startIds);
    expect(parse(after, "tokenizer_config.json")).toEqual({
      ...parse(before, "tokenizer_config.json"),
      add_bos_token: true,
      bos_token: start,
    });
    expect([...withStartToken(after, again)]).toEqual([...after]);
  });

  test("files that say so already keep every byte", () => {
    const files = filesWith(template(special("<s>"), text, special("<e>")));
    expect([...withStartToken(files, loadTokenizer(files))]).toEqual([...files]);
  });

  test("a member is set and no other byte changes, numbers that JavaScript has not among them", () => {
    const python = '{\n  "model_max_length": 1000000000000000019884624838656,\n  "x": 1e-05\n}';
    const changed = withMembers(python, { add_bos_token: true });
    expect(changed).toBe(
      '{\n  "model_max_length": 1000000000000000019884624838656,\n  "x": 1e-05,\n  "add_bos_token": true\n}',
    );
    expect(withMembers('{"a":1.0,"b":{"c":[1]}}', { b: [2] })).toBe('{"a":1.0,"b":[2]}');
    expect(JSON.parse(withMembers("{}", { b: 2 }))).toEqual({ b: 2 });
  });
});
