import { expect, test } from "vitest";
import { encodeRecords, linesOf } from "../../src/data/records.ts";
import { IGNORED_LABEL } from "../../src/kernels/cross-entropy.ts";
import { charTokenizer } from "../../src/text/char.ts";
import { collate } from "../../src/train/batch.ts";
import { contextsFor } from "../../src/train/contexts.ts";

const tokenizer = charTokenizer("abc");

test("each record starts after an end token and teaches one, with loss on it", () => {
  const { sequences, report } = encodeRecords(["ab", "c"], tokenizer, 8);
  expect(sequences.map(({ ids }) => [...Array.from(ids)])).toEqual([
    [3, 0, 1, 3],
    [3, 2, 3],
  ]);
  expect(report).toEqual({ records: 2, tokens: 7, ended: 2, cut: 0, longest: 4, learnt: 5, unlearnt: 0 });
  const { inputs, labelCount, tokenCount } = collate(sequences, 4, tokenizer.vocabSize);
  expect([...inputs.tokens!]).toEqual([3, 0, 1, 0, 3, 2, 0, 0]);
  expect([...inputs.labels!]).toEqual([0, 1, 3, IGNORED_LABEL, 2, 3, IGNORED_LABEL, IGNORED_LABEL]);
  expect([...inputs.lengths!]).toEqual([3, 2]);
  expect(labelCount).toBe(5);
  expect(tokenCount).toBe(5);
});

test("a record that just fits keeps its end token; a longer one is cut and counted", () => {
  expect(encodeRecords(["abc"], tokenizer, 4).report).toMatchObject({ ended: 1, cut: 0, longest: 5 });
  const { sequences, report } = encodeRecords(["abca"], tokenizer, 4);
  expect(report).toMatchObject({ ended: 0, cut: 1, longest: 5 });
  expect(Array.from(sequences[0]!.ids)).toEqual([3, 0, 1, 2, 0]);
});

test("lines end as on any system, a byte-order mark and empty lines do not count", () => {
  expect(linesOf("\uFEFFa\r\nb\n\nc\rd")).toEqual(["a", "b", "c", "d"]);
});

test("an id or label outside the vocabulary is refused before it reaches a kernel", () => {
  expect(() => collate([{ ids: [0, 9] }], 2, 4)).toThrow("label 9 at 0, wanted 0..3");
  expect(() => collate([{ ids: [9, 0] }], 2, 4)).toThrow("token 9 at 0, wanted 0..3");
});

test("a few padded lengths serve all records, up to the longest", () => {
  expect(contextsFor(39, 64)).toEqual([8, 16, 24, 40]);
  expect(contextsFor(1000, 1024)).toEqual([8, 16, 32, 48, 72, 112, 160, 232, 336, 480, 696, 1000]);
  expect(contextsFor(20, 20)).toEqual([8, 20]);
  expect(contextsFor(1, 3)).toEqual([3]);
});

test("a prompt is read and carries no loss; the end token behind it does", () => {
  const { inputs, labelCount } = collate([{ ids: [3, 0, 1, 2, 3], prompt: 3 }], 5, tokenizer.vocabSize);
  expect([...inputs.labels!]).toEqual([IGNORED_LABEL, IGNORED_LABEL, 2, 3, IGNORED_LABEL]);
  expect(labelCount).toBe(2);
});
