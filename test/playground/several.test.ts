import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readTexts, writeTexts } from "../../web/playground/several.ts";

describe("several texts in one field", () => {
  test.each([
    ["one a line", "wte\nwpe", ["wte", "wpe"]],
    ["with commas", "Dear Ann, welcome\nno, thanks", ["Dear Ann, welcome", "no, thanks"]],
    ["with spaces that a prompt may want", " the\nof ", [" the", "of "]],
    ["with blank lines between them", "\na\n \n\nb\r\n", ["a", "b"]],
    ["that begin like JSON", "[a\n[b]", ["[a", "[b]"]],
    ["of several lines, as JSON", '["Q: 1\\nA:", ""]', ["Q: 1\nA:", ""]],
    ["that are none", " \n", undefined],
    ["that are an empty list", "[]", ["[]"]],
  ])("%s", (_, written, texts) => {
    expect(readTexts(written)).toEqual(texts);
  });

  test("are read as they were written, whatever they are", () => {
    const any = fc.oneof(fc.string(), fc.constantFrom("", " ", "a,b", "a\nb", "\r", '["a"]', '["a","b"]', "[", '"'));
    fc.assert(
      fc.property(fc.array(any, { minLength: 1 }), (texts) => {
        expect(readTexts(writeTexts(texts))).toEqual(texts);
      }),
    );
    expect(writeTexts(["Dear Ann, welcome", "no"])).toBe("Dear Ann, welcome\nno");
    expect([undefined, "a, b", 7].map(writeTexts)).toEqual(["", "a, b", "7"]);
  });
});
