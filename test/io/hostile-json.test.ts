import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import { openCheckpoint } from "../../src/io/checkpoint.ts";
import { parseConfig } from "../../src/io/config-json.ts";
import { parseIndex } from "../../src/io/weight-files.ts";
import { loadTokenizer } from "../../src/text/load.ts";
import { modelFiles, sharded, sourcesOf } from "../support/models.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const files = sharded(modelFiles());

/** What a reader of JSON says of a text that it does not take: one line, and short. */
function expectReadOrRefused(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    expectOneLine(error);
  }
}

function expectOneLine(error: unknown): void {
  if (!(error instanceof UserError)) throw error;
  expect(error.message).not.toMatch(/[\n\r]/);
  expect(error.message.length).toBeLessThan(600);
}

/** An object with some of the fields that are read, holding anything at all. */
function anyFields(names: readonly string[]): fc.Arbitrary<string> {
  const anything = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.double(), fc.constantFrom(-1, 0, 1e300, "gpt2", [50256]));
  return fc.dictionary(fc.constantFrom(...names), anything, { maxKeys: 5 }).map((value) => JSON.stringify(value));
}

/** One text, with a stretch of it replaced. */
function damaged(text: string): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.string({ maxLength: 4 }),
    fc.constantFrom('{"', "[[", '"a":', "null", "1e999", "\\ud800", "-1"),
  );
  return fc
    .tuple(fc.nat(text.length), fc.nat(6), piece)
    .map(([at, count, put]) => text.slice(0, at) + put + text.slice(at + count));
}

describe("JSON from anywhere is read or refused in one line", () => {
  const config = new TextDecoder().decode(files.get("config.json"));
  const index = new TextDecoder().decode(files.get("model.safetensors.index.json"));
  const tokenizer = new TextDecoder().decode(files.get("tokenizer.json"));

  test("config.json", () => {
    const names = Object.keys(JSON.parse(config));
    fc.assert(
      fc.property(fc.oneof(anyFields(names), damaged(config), fc.json()), (text) =>
        expectReadOrRefused(() => parseConfig(text)),
      ),
      { numRuns: 2000 },
    );
  });

  test("model.safetensors.index.json", () => {
    fc.assert(
      fc.property(fc.oneof(anyFields(["weight_map", "metadata"]), damaged(index), fc.json()), (text) =>
        expectReadOrRefused(() => parseIndex(text)),
      ),
      { numRuns: 1000 },
    );
  });

  test("tokenizer.json", () => {
    const names = Object.keys(JSON.parse(tokenizer));
    const texts = fc.oneof(anyFields(names), damaged(tokenizer), fc.json());
    fc.assert(
      fc.property(texts, (text) =>
        expectReadOrRefused(() => loadTokenizer(new Map([["tokenizer.json", encode(text)]])).encode("ab")),
      ),
      { numRuns: 1000 },
    );
  });

  test("a directory with any one file damaged", async () => {
    const texts = [...files].filter(([name]) => name.endsWith(".json"));
    const damage = fc
      .constantFrom(...texts)
      .chain(([name, bytes]) => damaged(new TextDecoder().decode(bytes)).map((text) => [name, encode(text)] as const));
    await fc.assert(
      fc.asyncProperty(damage, async ([name, bytes]) => {
        await openCheckpoint(sourcesOf(new Map(files).set(name, bytes))).catch(expectOneLine);
      }),
      { numRuns: 500 },
    );
  });

  test("a tokenizer whose entries are no line", () => {
    const bpe = { pre_tokenizer: { type: "ByteLevel" }, model: { vocab: { "a\nb": 0, "<|endoftext|>": 1 } } };
    const merges = { ...bpe, model: { vocab: { a: 0, b: 1 }, merges: [["a\n", "b".repeat(1e6)]] } };
    for (const json of [bpe, merges, { ...bpe, model: { vocab: {} } }]) {
      const given = new Map([["tokenizer.json", encode(JSON.stringify(json))]]);
      given.set("tokenizer_config.json", encode('{"eos_token": "\\n\\n"}'));
      expectReadOrRefused(() => loadTokenizer(given));
    }
  });

  test("the tokenizer's settings without a tokenizer", async () => {
    const given = new Map(files).set("tokenizer_config.json", encode("{"));
    given.delete("tokenizer.json");
    await expect(openCheckpoint(sourcesOf(given))).rejects.toThrow(/^tokenizer_config\.json: not valid JSON$/);
  });
});
