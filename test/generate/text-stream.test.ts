import { expect, test } from "vitest";
import { createTextStream, showableLength } from "../../src/generate/text-stream.ts";
import { byteTokenizer } from "../../src/text/byte.ts";

const bytes = (text: string): number[] => [...new TextEncoder().encode(text)];

test("whole characters only, whatever tokens they are cut into", () => {
  const stream = createTextStream(byteTokenizer());
  const seen = bytes("a\u00e9\u{1f600}").map((id) => {
    stream.push(id);
    return stream.text;
  });
  expect(seen).toEqual(["a", "a", "a\u00e9", "a\u00e9", "a\u00e9", "a\u00e9", "a\u00e9\u{1f600}"]);
  stream.push(0xc3);
  stream.end();
  expect(stream.text).toBe("a\u00e9\u{1f600}\ufffd");
});

test("a stop string ends the text wherever tokens cut it, and nothing comes after it", () => {
  const stream = createTextStream(byteTokenizer(), ["###", "\n\n"]);
  for (const id of bytes("one ## two\n\nthree###")) stream.push(id);
  expect(stream).toMatchObject({ text: "one ## two", stopped: true });
});

test("what may be shown: whole words, and no beginning of a stop string", () => {
  expect(showableLength("hello wor")).toBe(6);
  expect(showableLength("hello world ")).toBe(12);
  expect(showableLength("hello")).toBe(0);
  expect(showableLength("x".repeat(30))).toBe(30);
  expect(showableLength("\u4f60\u597d")).toBe(2);
  expect(showableLength("end \n", ["\n\n"])).toBe(4);
  expect(showableLength("so ##", ["###"])).toBe(3);
});
