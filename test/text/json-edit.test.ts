import fc from "fast-check";
import { applyEdits, modify } from "jsonc-parser";
import { expect, test } from "vitest";
import { withMember } from "../../src/text/json-edit.ts";

/** What an editor's own JSON library makes of it. */
function edited(text: string, key: string, value: unknown): string {
  const spaces = /^\s*\{\s*\n( +)/.exec(text)?.[1]?.length;
  const formattingOptions = { insertSpaces: true, tabSize: spaces ?? 2, eol: "\n" };
  return applyEdits(text, modify(text, [key], value, spaces === undefined ? {} : { formattingOptions }));
}

const KEY = fc.constantFrom("a", "b", 'quoted "c"', "", "{", "a,b:c", "\\", "ü");

test.each([0, 2, 4])("sets a member as VS Code's JSON library does, with %i spaces", (spaces) => {
  const objects = fc.dictionary(KEY, fc.jsonValue({ maxDepth: 3 }), { minKeys: 1 });
  fc.assert(
    fc.property(objects, KEY, fc.jsonValue({ maxDepth: 3 }), (object, key, value) => {
      const text = JSON.stringify(object, null, spaces);
      const changed = withMember(text, key, value);
      expect(JSON.parse(changed)).toEqual(JSON.parse(JSON.stringify({ ...object, [key]: value })));
      expect(changed).toBe(edited(text, key, value));
    }),
    { numRuns: 500, seed: 1 },
  );
});

test("leaves numbers as they were written, and spaces", () => {
  const text = '{ "model_max_length" : 1000000000000000019884624838656,\n\t"x": 1.0e0 , "y":[ 1 ,{"y": 2}] }\n';
  expect(withMember(text, "y", null)).toBe(text.replace('[ 1 ,{"y": 2}]', "null"));
  expect(withMember(text, "x", [])).toBe(text.replace("1.0e0", "[]"));
});

test.each(["{}", " { } ", "{\n}"])("begins with the first member of %j", (text) => {
  expect(JSON.parse(withMember(text, "a", { b: 1 }))).toEqual({ a: { b: 1 } });
});
