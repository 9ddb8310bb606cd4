import { expect, test } from "vitest";
import { byteTokenizer } from "../../src/text/byte.ts";
import { loadTokenizer } from "../../src/text/load.ts";

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const vocab = JSON.parse(new TextDecoder().decode(byteTokenizer().files().get("tokenizer.json"))).model.vocab;
const added = { "<s>": 257, "<e>": 258, "<p>": 259 };

/** An older directory: no tokenizer.json, what is special said in one file or another. */
function older(files: Record<string, object>) {
  const merges = new TextEncoder().encode("#version: 0.2\n");
  return loadTokenizer(
    new Map([
      ["vocab.json", encode(vocab)],
      ["merges.txt", merges],
      ["added_tokens.json", encode(added)],
      ...Object.entries(files).map(([name, json]) => [name, encode(json)] as const),
    ]),
  );
}

const decoder = (flags: object) => ({
  added_tokens_decoder: Object.fromEntries(
    Object.entries(added).map(([content, id]) => [id, { content, special: content !== "<p>", ...flags }]),
  ),
});

// As transformers 5.18 reads the same files.
test.each<[title: string, files: Record<string, object>, end: number, start: number, special: number[]]>([
  ["nothing said", {}, 256, 256, [256]],
  ["tokenizer_config.json", { "tokenizer_config.json": { eos_token: "<e>" } }, 258, 256, [256, 258]],
  ["as an object", { "tokenizer_config.json": { eos_token: { content: "<e>", lstrip: true } } }, 258, 256, [256, 258]],
  [
    "special_tokens_map.json before tokenizer_config.json",
    {
      "special_tokens_map.json": {
        eos_token: "<e>",
        bos_token: { content: "<s>" },
        pad_token: "<p>",
        unk_token: "<e>",
      },
      "tokenizer_config.json": { eos_token: "<s>" },
    },
    258,
    257,
    [257, 258, 259],
  ],
  [
    "but not where the tokens are listed there",
    { "special_tokens_map.json": { eos_token: "<e>" }, "tokenizer_config.json": decoder({}) },
    256,
    256,
    [256, 257, 258],
  ],
  [
    "additional tokens, as transformers 4 has them",
    { "special_tokens_map.json": { additional_special_tokens: ["<p>"] } },
    256,
    256,
    [256, 259],
  ],
  ["extra tokens", { "tokenizer_config.json": { extra_special_tokens: ["<p>", "<s>"] } }, 256, 256, [256, 257, 259]],
  [
    "a token that is nowhere: config.json's id",
    {
      "tokenizer_config.json": { eos_token: "<gone>", tokenizer_class: "PreTrainedTokenizerFast" },
      "config.json": { vocab_size: 260, eos_token_id: [999, 258] },
    },
    258,
    258,
    [],
  ],
  [
    "generation_config.json before config.json",
    {
      "tokenizer_config.json": { tokenizer_class: "PreTrainedTokenizerFast" },
      "config.json": { eos_token_id: 257 },
      "generation_config.json": { eos_token_id: 258 },
    },
    258,
    258,
    [],
  ],
])("%s", (_title, files, end, start, special) => {
  const tokenizer = older(files);
  expect(tokenizer.endId).toBe(end);
  expect(tokenizer.startIds).toEqual([start]);
  expect([...tokenizer.specialIds].sort()).toEqual(special);
  expect(tokenizer.vocabSize).toBe(260);
});
