import fc from "fast-check";
import { expect, test } from "vitest";
import { byteTokenizer } from "../../src/text/byte.ts";
import { loadTokenizer } from "../../src/text/load.ts";
import { END_OF_TEXT } from "../../src/text/tokenizer.ts";

const tokenizer = byteTokenizer();

test("ids are the bytes of UTF-8, and 256 the end", () => {
  expect(tokenizer).toMatchObject({ kind: "byte", vocabSize: 257, endId: 256 });
  expect([...tokenizer.encode(`é\n${END_OF_TEXT}`)]).toEqual([0xc3, 0xa9, 10, 256]);
});

test("any text round-trips", () => {
  const anyText = fc.string({ unit: "binary" });
  fc.assert(fc.property(anyText, (text) => tokenizer.decode(tokenizer.encode(text)) === text));
});

test("bytes that are no UTF-8 decode to U+FFFD, and a byte-order mark is kept", () => {
  expect(tokenizer.decode([0xff, 97])).toBe("\ufffda");
  expect(tokenizer.decode(tokenizer.encode("\ufeffx"))).toBe("\ufeffx");
});

test("an id outside the vocabulary is refused", () => {
  expect(() => tokenizer.decode([257])).toThrow(/id 257; wanted 0 to 256/);
});

test("its files give it back, and for Hugging Face they are a byte-level BPE without merges", () => {
  const files = tokenizer.files();
  expect(loadTokenizer(files).kind).toBe("byte");
  const { model, pre_tokenizer } = JSON.parse(new TextDecoder().decode(files.get("tokenizer.json")));
  expect(pre_tokenizer).toMatchObject({ type: "ByteLevel", add_prefix_space: false, use_regex: false });
  expect(model.merges).toEqual([]);
  expect(model.vocab).toMatchObject({ a: 97, Ġ: 32, Ċ: 10, ÿ: 255, [END_OF_TEXT]: 256 });
  expect(Object.keys(model.vocab)).toHaveLength(257);
});
