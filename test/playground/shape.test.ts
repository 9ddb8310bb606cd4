/** What a text that is pasted looks like: an offer where it is a table or JSON lines, and nothing where it is a list. */
import { expect, test } from "vitest";
import { namedAs, shapeOf, shapeOfText } from "../../web/playground/shape.ts";

test.each<[string, string, string | undefined]>([
  ["JSON lines", '{"text":"a"}\n\n{"text":"b"}\n', "jsonl"],
  ["one JSON object", '{"text": "a"}', "jsonl"],
  ["braces that are no JSON", "{a}\n{b}\n", undefined],
  ["a list of JSON", '["a"]\n["b"]\n', undefined],
  ["cells of a spreadsheet", "name\tmail\r\na\tb\r\nc\td\r\n", "tsv"],
  ["a tab in one line", "a\tb\nc\n", undefined],
  ["a table with quotes", 'name,said\nAna,"hi, ""you"""\nBob,"two\nlines"\n', "csv"],
  ["a table with a column text", "id,text\n1,a\n2,b\n", "csv"],
  ["a list of names with commas", "Smith, John\nDoe, Jane\nRoe, Rick\n", undefined],
  ["a list with commas alone", "Smith,John\nDoe,Jane\nRoe,Rick\n", undefined],
  ["lines with quotes", '"a"\n"b"\n', undefined],
  ["sentences", 'He said "no", and left.\nShe stayed, then left.\n', undefined],
  ["addresses", "ana@x.cl\nbob@y.cl\n", undefined],
  ["nothing", " \n", undefined],
])("%s", (_, text, wanted) => {
  expect(shapeOfText(text)).toBe(wanted);
});

test("of a long one the head tells, whose last line is cut off; of one that has a format its name", async () => {
  const rows = '{"text":"abc"}\n'.repeat(10_000);
  expect(await shapeOf({ name: "a.txt", blob: new Blob([rows]) })).toBe("jsonl");
  expect(await shapeOf({ name: "a.txt", blob: new Blob(["id,text\n", '1,"a"\n'.repeat(20_000)]) })).toBe("csv");
  expect(await shapeOf({ name: "a.jsonl", blob: new Blob([rows]) })).toBeUndefined();
  expect(await shapeOf({ name: "a.csv", blob: new Blob(["id,text\n1,a\n"]) })).toBeUndefined();
  expect(["pasted.txt", "notes.v2.md"].map((name) => namedAs(name, "csv"))).toEqual(["pasted.csv", "notes.v2.csv"]);
});

test("a long line with one quote is looked at in no time", () => {
  const began = performance.now();
  expect(shapeOfText(`"${"a,".repeat(30_000)}`)).toBeUndefined();
  expect(performance.now() - began).toBeLessThan(1000);
});
