import fc from "fast-check";
import { expect, test } from "vitest";
import { charTokenizer } from "../../src/text/char.ts";
import { loadTokenizer } from "../../src/text/load.ts";
import { END_OF_TEXT } from "../../src/text/tokenizer.ts";

const anyText = fc.string({ unit: "binary", minLength: 1, maxLength: 60 });

test("ids are the text's characters in order, the end token last", () => {
  const tokenizer = charTokenizer("banana\n");
  expect(tokenizer).toMatchObject({ kind: "char", vocabSize: 5, endId: 4 });
  expect([...tokenizer.encode("\nabn")]).toEqual([0, 1, 2, 3]);
  expect(tokenizer.decode([2, 1, 3, 4])).toBe(`ban${END_OF_TEXT}`);
});

test("characters beyond U+FFFF are one id each and come after all others", () => {
  const tokenizer = charTokenizer("😀\uffee a");
  expect([...tokenizer.encode("😀 \uffee")]).toEqual([3, 0, 2]);
  expect(tokenizer.bytes(3)).toEqual(new TextEncoder().encode("😀"));
});

test("what it was made of round-trips, also through its files", () => {
  fc.assert(
    fc.property(anyText, fc.nat(200), (text, contextLength) => {
      const tokenizer = charTokenizer(text);
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      const read = loadTokenizer(tokenizer.files(contextLength));
      expect(read).toMatchObject({ kind: "char", vocabSize: tokenizer.vocabSize, endId: tokenizer.endId });
      expect(read.encode(text)).toEqual(tokenizer.encode(text));
    }),
  );
});

test("the end token in the text is the end, and lends no characters to the vocabulary", () => {
  const tokenizer = charTokenizer(`a${END_OF_TEXT}b`);
  expect(tokenizer.vocabSize).toBe(3);
  expect([...tokenizer.encode(`b${END_OF_TEXT}${END_OF_TEXT}a`)]).toEqual([1, 2, 2, 0]);
});

test("an unknown character is named with its place", () => {
  const tokenizer = charTokenizer("abc\n😀");
  expect(() => tokenizer.encode("abc\n😀é")).toThrow(
    /character "é" \(U\+00E9\) at line 2, column 2 is not among the 5/,
  );
  expect(() => tokenizer.encode(`${END_OF_TEXT}b\r`)).toThrow(/"\\r" \(U\+000D\) at line 1, column 15/);
});

test("text that no file can hold, and no text, are refused", () => {
  expect(() => charTokenizer("a\ud83d")).toThrow(/half a surrogate pair/);
  expect(() => charTokenizer("")).toThrow(/empty/);
  expect(() => charTokenizer(END_OF_TEXT)).toThrow(/empty/);
});

test("what is no text, and what are no ids, are named", () => {
  const wrong = [undefined, 5, ["ab", "c"]] as unknown as readonly [string, string, string];
  for (const given of wrong) {
    expect(() => charTokenizer(given)).toThrow(/^char tokenizer: got .*; wanted one text, such as texts\.join\(""\)$/);
    expect(() => charTokenizer("ab").encode(given)).toThrow(/^char tokenizer: got .*; wanted a text$/);
  }
  expect(() => charTokenizer("ab").decode(1 as never)).toThrow(/^char tokenizer: got 1; wanted a list of ids$/);
});

test("an id outside the vocabulary is refused", () => {
  expect(() => charTokenizer("ab").decode([3])).toThrow(/id 3; wanted 0 to 2/);
});

test("Hugging Face reads it: every character is split off, and nothing is put between them when decoding", () => {
  const { files } = charTokenizer("a\n9");
  const json = JSON.parse(new TextDecoder().decode(files().get("tokenizer.json")));
  expect(json).toMatchObject({
    normalizer: null,
    pre_tokenizer: { type: "Split", pattern: { Regex: "[\\s\\S]" }, behavior: "Isolated" },
    decoder: { type: "Fuse" },
    model: { type: "WordLevel", vocab: { "\n": 0, "9": 1, a: 2, [END_OF_TEXT]: 3 } },
    added_tokens: [{ id: 3, content: END_OF_TEXT, special: true }],
  });
  expect(Object.keys(json.model.vocab)).not.toContain(json.model.unk_token);
});

test("one long text needs no end token, and its files say so", () => {
  const tokenizer = charTokenizer(`ab${END_OF_TEXT}`, { endToken: false });
  expect(tokenizer).toMatchObject({ vocabSize: 12, endId: undefined });
  expect(tokenizer.decode(tokenizer.encode(END_OF_TEXT))).toBe(END_OF_TEXT);
  const read = loadTokenizer(tokenizer.files(8));
  expect(read).toMatchObject({ kind: "char", vocabSize: 12, endId: undefined });
});
