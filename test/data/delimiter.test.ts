import fc from "fast-check";
import { expect, test } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import { delimiterOf } from "../../src/data/delimiter.ts";
import { readRecords } from "../../src/data/read.ts";
import { collected, sourceOf } from "../support/data.ts";

const textsOf = async (table: string, format: "csv" | "tsv" = "csv", piece = 7) =>
  (await collected(readRecords({ source: sourceOf(table, piece), format }, {}))).flatMap(({ texts }) => [...texts]);

test("a table is read by whatever separates its columns, with the same cells, wherever the reader's pieces end", async () => {
  const cell = fc
    .array(fc.constantFrom('"', ",", ";", "|", "\t", "\n", "a", "é", " b"))
    .map((parts) => `x${parts.join("")}`);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }),
      fc.constantFrom(",", ";", "|", "\t"),
      fc.constantFrom("csv" as const, "tsv" as const),
      fc.constantFrom("", "\n\n", "\uFEFF", "sep"),
      fc.integer({ min: 1, max: 40 }),
      async (rows, delimiter, format, before, piece) => {
        const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
        const lines = [["id", "text"], ...rows.map((row) => row.map(quoted))].map((row) => row.join(delimiter));
        const table = `${before === "sep" ? `sep=${delimiter}\n` : before}${lines.join("\n")}\n`;
        expect(await textsOf(table, format, piece)).toEqual(rows.map(([, text]) => text));
        const { notice } = await delimiterOf(sourceOf(table, piece), {}, format);
        const usual = delimiter === (format === "csv" ? "," : "\t");
        expect(notice === undefined).toBe(usual && before !== "sep");
      },
    ),
    { numRuns: 200 },
  );
});

test("rows are known by their lines, also below one that names the separator", async () => {
  const batches = await collected(
    readRecords({ source: sourceOf('sep=;\r\nid;text\r\n1;a\r\n2;"b\r\nc"\r\n3;d\r\n'), format: "csv" }, {}),
  );
  const places = batches.flatMap(({ texts, where }) => texts.map((_, i) => where(i)));
  expect(places).toEqual([3, 4, 6].map((line) => `data.txt, line ${line}`));
});

test.each([
  ["one column is a table", "text\na;b\nc\n", ["a;b", "c"]],
  ["a name in quotes may hold anything", '"a;b",text\n1,x\n', ["x"]],
  ["what the extension says goes first", "text,a;b\nx,y;z\n", ["x"]],
  ["a row of quotes over lines is a header, too", '"id\nof";text\n1;a\n', ["a"]],
])("%s", async (_, table, texts) => {
  expect(await textsOf(table)).toEqual(texts);
});

test.each([
  ["two that fit", "text;a|text\n", {}],
  ["a whole row named as a column", "a;b\n1;2\n", { textColumn: "a;b" }],
  ["none that fits", "a|b|c\n1|2|3\n", {}],
  ["a file of nothing but a separator", "sep=;\n", {}],
])("no row is taken for a text: %s", async (_, table, columns) => {
  const read = collected(readRecords({ source: sourceOf(table), format: "csv" }, columns));
  const texts = await read.then(
    (batches) => batches.flatMap((batch) => [...batch.texts]),
    (error: unknown) => {
      expect(error).toBeInstanceOf(UserError);
      return [];
    },
  );
  expect(texts).toEqual([]);
});

test("files of JSON lines that were put end to end may each begin with a byte-order mark", async () => {
  const data = '\uFEFF{"text": "a"}\n\uFEFF{"text": "b"}\n';
  const batches = await collected(readRecords({ source: sourceOf(data), format: "jsonl" }, {}));
  expect(batches.flatMap(({ texts }) => [...texts])).toEqual(["a", "b"]);
});
