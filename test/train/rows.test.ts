import { expect, test } from "vitest";
import { sequencesOf } from "../../src/data/sequence.ts";
import { placesOf } from "../../src/train/contexts.ts";
import { packedRows, type RowSource, recordRows, windowRows, windowsOf } from "../../src/train/rows.ts";

const lengths = [5, 3, 9, 2, 2, 7, 4, 3, 6, 8];
const sequences = sequencesOf(lengths.map((length, i) => ({ ids: new Array(length).fill(i) })));
const stream = {
  length: 100,
  read: (start: number, count: number) => Array.from({ length: count }, (_, i) => start + i),
};

const recordsOf = (source: RowSource, epoch: number): number[] =>
  Array.from({ length: source.stepsPerEpoch }, (_, i) => source.at(epoch * source.stepsPerEpoch + i).rows)
    .flat(2)
    .map(({ ids }) => ids[0]!);

test.each([
  ["a record a row", (seed: number) => recordRows(sequences, { rowsPerStep: 4, seed })],
  ["packed", (seed: number) => packedRows(sequences, 9, { rowsPerStep: 2, seed })],
])("%s: an epoch has every record once, in an order that the seed and the epoch decide", (_, make) => {
  const source = make(1);
  expect(recordsOf(source, 0).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(recordsOf(source, 1).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(recordsOf(source, 1)).not.toEqual(recordsOf(source, 0));
  expect(recordsOf(make(1), 1)).toEqual(recordsOf(source, 1));
  expect(recordsOf(make(2), 0)).not.toEqual(recordsOf(source, 0));
  expect(source.at(source.stepsPerEpoch - 1).epoch).toBe(1);
});

test("packing fills rows and never passes their end", () => {
  const source = packedRows(sequences, 9, { rowsPerStep: 1, seed: 3 });
  const places = Array.from({ length: source.stepsPerEpoch }, (_, i) => placesOf(source.at(i).rows[0]!));
  expect(Math.max(...places)).toBeLessThanOrEqual(9);
  // 39 places in all: 5 rows of 9 hold them.
  expect(places.length).toBe(5);
});

test("windows start anywhere, anew at each step, and stay inside the text", () => {
  const source = windowRows(stream, 9, { rowsPerStep: 50, seed: 1 });
  const starts = [0, 1, 2, 3].flatMap((step) => source.at(step).rows.map(([window]) => window!.ids[0]!));
  expect(Math.min(...starts)).toBe(0);
  expect(Math.max(...starts)).toBe(90);
  expect(new Set(starts).size).toBeGreaterThan(70);
  expect(source.at(0)).toEqual(windowRows(stream, 9, { rowsPerStep: 50, seed: 1 }).at(0));
  expect(source.at(0).rows).not.toEqual(source.at(1).rows);
  expect(source.at(0).rows[0]![0]!.ids).toHaveLength(10);
  expect(() => windowRows(stream, 100, { rowsPerStep: 1, seed: 1 })).toThrow(
    "a text of 100 tokens has no window of 101",
  );
});

test("windows to evaluate on lie one after another, or spread evenly", () => {
  const starts = (most?: number) => {
    const windows = windowsOf(stream, 9, most);
    return Array.from({ length: windows.count }, (_, i) => windows.read(i).ids[0]);
  };
  expect(starts()).toEqual([0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90]);
  expect(starts(3)).toEqual([0, 27, 63]);
});
