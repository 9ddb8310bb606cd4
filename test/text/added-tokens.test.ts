import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { safePieces } from "../../src/data/encode.ts";
import { type AddedToken, addedTokens, specialToken } from "../../src/text/added-tokens.ts";
import { bytesToVisible } from "../../src/text/byte-level.ts";
import { loadTokenizer } from "../../src/text/load.ts";
import type { Tokenizer } from "../../src/text/tokenizer.ts";
import type { AddedTokenJson } from "../../src/text/tokenizer-json.ts";
import { collected } from "../support/data.ts";

/** Written once with tokenizers 0.23.2, the library that transformers asks. */
const { merges, cases } = JSON.parse(readFileSync(new URL("fixtures/added-tokens.json", import.meta.url), "utf8")) as {
  merges: string[];
  cases: {
    added: AddedTokenJson[];
    strings: [text: string, ids: number[], decoded: string, skipping: string][];
  }[];
};

const vocab = Object.fromEntries([
  ...Array.from({ length: 256 }, (_, byte) => [bytesToVisible(Uint8Array.of(byte)), byte]),
  ...merges.map((merge, i) => [merge.replace(" ", ""), 256 + i]),
]);

function tokenizerWith(added: readonly AddedTokenJson[], config: object = {}, useRegex = true): Tokenizer {
  const json = {
    added_tokens: added,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: useRegex },
    model: { type: "BPE", vocab, merges },
  };
  const encode = (value: object) => new TextEncoder().encode(JSON.stringify(value));
  return loadTokenizer(
    new Map([
      ["tokenizer.json", encode(json)],
      ["tokenizer_config.json", encode({ tokenizer_class: "PreTrainedTokenizerFast", ...config })],
    ]),
  );
}

/** The library decodes an added token of Latin-1 letters as if they were GPT-2's names of bytes, and so breaks it; here it stays. */
const plain = (added: readonly AddedTokenJson[]): boolean =>
  added.every(({ content, id }) => id <= 260 || !/[\u00a1-\u00ff]/.test(content));

test("ids are those of Hugging Face's tokenizers for any flags, and so are texts, with special tokens and without", () => {
  let texts = 0;
  for (const { added, strings } of cases) {
    const tokenizer = tokenizerWith(added);
    for (const [text, ids, decoded, skipping] of strings) {
      const where = JSON.stringify([text, added]);
      expect([...tokenizer.encode(text)], where).toEqual(ids);
      if (!plain(added)) continue;
      texts++;
      expect(tokenizer.decode(ids), where).toBe(decoded);
      expect(tokenizer.decode(ids.filter((id) => !tokenizer.specialIds.has(id))), where).toBe(skipping);
    }
  }
  expect(cases.flatMap(({ strings }) => strings)).toHaveLength(640);
  expect(texts).toBeGreaterThan(300);
});

test("an added token of accented letters comes back as it was", () => {
  const tokenizer = tokenizerWith([{ id: 261, content: "ñandú" }]);
  expect([...tokenizer.encode("ñandú")]).toEqual([261]);
  expect(tokenizer.decode([261])).toBe("ñandú");
});

test("a text cut where the tokenizer says it may be has the ids of the whole", async () => {
  const tokenizers = cases.slice(0, 20).map(({ added }) => tokenizerWith(added));
  const pieces = fc.constantFrom(
    "cat",
    "new",
    " ",
    "\n",
    "word",
    "<r>",
    "<mask>",
    "<b>",
    "x",
    " x",
    "a b",
    "é",
    "😀",
    "w",
  );
  const anyText = fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...tokenizers), fc.array(anyText, { maxLength: 4 }), async (tokenizer, texts) => {
      async function* arriving() {
        yield* texts;
      }
      const found = (await collected(safePieces(arriving(), tokenizer, "a.txt"))).flatMap((piece) => [
        ...tokenizer.encode(piece),
      ]);
      expect(found).toEqual([...tokenizer.encode(texts.join(""))]);
    }),
    { numRuns: 400 },
  );
});

describe("what many texts are joined by", () => {
  const end = specialToken("<|end|>", 0);
  const token = (content: string, flags: Partial<AddedToken> = {}): AddedToken => ({
    ...specialToken(content, 1),
    ...flags,
  });

  test.each<[title: string, tokens: AddedToken[], separates: boolean]>([
    ["an end token alone", [end], true],
    ["beside others", [end, token("<r>", { rstrip: true }), token("cat", { singleWord: true })], true],
    ["one that takes white space", [{ ...end, lstrip: true }], false],
    ["one that must stand alone", [{ ...end, singleWord: true }], false],
    ["one that another has inside", [end, token("x<|end|>")], false],
    ["one that another begins in", [end, token("|>x")], false],
  ])("%s", (_title, tokens, separates) => {
    expect(addedTokens(tokens).separates("<|end|>")).toBe(separates);
  });

  test("a word is no separator", () => {
    expect(addedTokens([token("END")]).separates("END")).toBe(false);
    expect(addedTokens([end]).separates("<r>")).toBe(false);
  });
});
