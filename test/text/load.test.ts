import { expect, test } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import { byteTokenizer } from "../../src/text/byte.ts";
import { charTokenizer } from "../../src/text/char.ts";
import { loadTokenizer } from "../../src/text/load.ts";
import { hasTokenizer } from "../../src/text/tokenizer-files.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** The tokenizer.json of `files`, changed. */
function changed(files: Map<string, Uint8Array>, change: (json: Record<string, never>) => void) {
  const json = JSON.parse(new TextDecoder().decode(files.get("tokenizer.json")));
  change(json);
  return new Map([["tokenizer.json", encode(JSON.stringify(json))]]);
}

test("a directory without a tokenizer says what it has and what was wanted", () => {
  const files = new Map([["config.json", encode("{}")]]);
  expect(hasTokenizer(files)).toBe(false);
  expect(() => loadTokenizer(files)).toThrow(
    /got config\.json; wanted tokenizer\.json, or vocab\.json and merges\.txt/,
  );
  expect(() => loadTokenizer(new Map())).toThrow(/got no files/);
});

type Json = { model: Record<string, unknown>; pre_tokenizer: Record<string, unknown>; normalizer: unknown };
const refusals: [title: string, change: (json: Json) => void, message: RegExp][] = [
  [
    "a model of another kind",
    (json) => Object.assign(json.model, { type: "Unigram" }),
    /"Unigram after ByteLevel"; wanted/,
  ],
  [
    "a normalizer",
    (json) => Object.assign(json, { normalizer: { type: "NFC" } }),
    /normalizer {"type":"NFC"}; wanted none/,
  ],
  ["no model", (json) => Object.assign(json, { model: null }), /no model/],
  [
    "a prefix space",
    (json) => Object.assign(json.pre_tokenizer, { add_prefix_space: true }),
    /add_prefix_space is true/,
  ],
  ["no splitting", (json) => Object.assign(json.model, { vocab: { a: 0 } }), /use_regex is false/],
  ["a fractional id", (json) => Object.assign(json.model, { vocab: { a: 0.5 } }), /"a" has id 0\.5/],
  ["an enormous id", (json) => Object.assign(json.model, { vocab: { a: 2 ** 40 } }), /"a" has id 1099511627776/],
];
test.each(refusals)("%s is refused", (_title, change, message) => {
  expect(() => loadTokenizer(changed(byteTokenizer().files(), change as never))).toThrow(message);
});

test("a character vocabulary with a gap, or without its end, is refused", () => {
  const files = charTokenizer("ab").files();
  const gap = changed(files, (json) => Object.assign(json, { model: { type: "WordLevel", vocab: { a: 0, b: 2 } } }));
  expect(() => loadTokenizer(gap)).toThrow(/without a gap/);
});

test("files that are not JSON or not UTF-8 are refused by name", () => {
  expect(() => loadTokenizer(new Map([["tokenizer.json", encode("{")]]))).toThrow(/^tokenizer\.json: not valid JSON/);
  expect(() => loadTokenizer(new Map([["tokenizer.json", Uint8Array.of(0xff)]]))).toThrow(/^tokenizer\.json: not/);
});

test("merges that the vocabulary lacks are refused with their line", () => {
  const { vocab } = JSON.parse(new TextDecoder().decode(byteTokenizer().files().get("tokenizer.json"))).model;
  const files = new Map([
    ["vocab.json", encode(JSON.stringify(vocab))],
    ["merges.txt", encode("#version: 0.2\na b\n")],
  ]);
  expect(() => loadTokenizer(files)).toThrow(/line 1 joins "a" and "b"/);
  files.set("merges.txt", encode("#version: 0.2\na b c\n"));
  expect(() => loadTokenizer(files)).toThrow(/"a b c"; wanted two tokens/);
});

test("a tokenizer.json with any part of it replaced by something else is read or refused in one line", () => {
  const junk = [null, 0, -1, "x", [], {}, [null], [[1, 2]], { a: 1 }, true];
  const small = () => {
    const json = JSON.parse(new TextDecoder().decode(byteTokenizer().files().get("tokenizer.json")));
    json.pre_tokenizer.use_regex = true;
    return json;
  };
  const paths = [
    ["model"],
    ["model", "vocab"],
    ["model", "merges"],
    ["model", "type"],
    ["pre_tokenizer"],
    ["added_tokens"],
    ["added_tokens", "0"],
    ["added_tokens", "0", "id"],
    ["added_tokens", "0", "content"],
    ["normalizer"],
  ];
  for (const path of paths) {
    for (const value of junk) {
      const json = small();
      const parent = path.slice(0, -1).reduce((at, key) => at[key], json);
      parent[path.at(-1)!] = value;
      try {
        loadTokenizer(new Map([["tokenizer.json", encode(JSON.stringify(json))]]));
      } catch (error) {
        expect(error, `${path.join(".")} = ${JSON.stringify(value)}`).toBeInstanceOf(UserError);
      }
    }
  }
});
