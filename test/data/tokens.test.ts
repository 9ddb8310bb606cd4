import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import { paddingShare, reportRecords, withoutCounts } from "../../src/data/report.ts";
import { sequencesOf } from "../../src/data/sequence.ts";
import { selectRecords, splitRecords } from "../../src/data/split.ts";
import { crc32 } from "../../src/data/token-index.ts";
import { formatMeta, parseMeta } from "../../src/data/token-meta.ts";
import { checkTokens, memoryBytes, openRecords, openStream, type Tokens } from "../../src/data/token-read.ts";
import { createTokenWriter } from "../../src/data/token-write.ts";

interface Written {
  readonly ids: readonly number[];
  readonly prompt: number;
}

async function tokensOf(records: readonly Written[], bytesPerId: 2 | 4, prompts: boolean, batch = 7): Promise<Tokens> {
  const [ids, index] = [memoryBytes(), memoryBytes()];
  const writer = createTokenWriter("records", bytesPerId, { ids: ids.append, index: index.append });
  for (let at = 0; at < records.length; at += batch) {
    const some = records.slice(at, at + batch);
    await writer.addRecords({
      ids: Int32Array.from(some.flatMap((record) => record.ids)),
      lengths: some.map((record) => record.ids.length),
      ...(prompts ? { prompts: some.map(({ prompt }) => prompt) } : {}),
      empty: 0,
    });
  }
  const meta = await writer.finish();
  return { meta, ids: ids.finish(), index: index.finish() };
}

const anyRecord = (most: number) =>
  fc
    .tuple(fc.array(fc.nat(most), { minLength: 2, maxLength: 9 }), fc.nat())
    .map(([ids, prompt]): Written => ({ ids, prompt: 1 + (prompt % (ids.length - 1)) }));

describe("tokens on the disk", () => {
  test("come back as they were written, of 16 and of 32 bits, with prompts and without", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc
          .constantFrom<2 | 4>(2, 4)
          .chain((bytes) =>
            fc.tuple(
              fc.constant(bytes),
              fc.array(anyRecord(bytes === 2 ? 65535 : 1e6), { minLength: 1, maxLength: 600 }),
            ),
          ),
        fc.boolean(),
        fc.integer({ min: 1, max: 12 }),
        async ([bytesPerId, records], prompts, contextLength) => {
          const tokens = await tokensOf(records, bytesPerId, prompts);
          checkTokens(tokens);
          const read = openRecords(tokens, { contextLength, maskPrompt: true });
          const most = contextLength + 1;
          expect(read.count).toBe(records.length);
          expect(read.longest).toBe(Math.max(...records.map(({ ids }) => Math.min(most, ids.length))));
          for (const [i, { ids, prompt }] of records.entries()) {
            const { ids: got, prompt: gotPrompt } = read.read(i);
            expect(Array.from(got)).toEqual(ids.slice(0, most));
            expect(gotPrompt).toBe(prompts ? Math.min(prompt, most) : undefined);
            expect(read.lengthOf(i)).toBe(got.length);
          }
          const learnt = records.reduce((sum, { ids, prompt }) => {
            const kept = Math.min(most, ids.length);
            return sum + kept - (prompts ? Math.min(prompt, kept) : 1);
          }, 0);
          expect(reportRecords(tokens.meta.lengths, tokens.meta.promptLengths, contextLength).learnt).toBe(learnt);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a description comes back as it was, and no other bytes do", async () => {
    const { meta } = await tokensOf([{ ids: [1, 2, 3], prompt: 2 }], 2, true);
    const bytes = formatMeta(meta);
    expect(parseMeta(bytes)).toEqual(meta);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(bytes.length), (noise, at) => {
        const damaged = Uint8Array.from([...bytes.subarray(0, at), ...noise, ...bytes.subarray(at + noise.length)]);
        if (Buffer.compare(damaged, bytes) !== 0) expect(() => parseMeta(damaged)).toThrow(UserError);
      }),
      { numRuns: 500 },
    );
  });

  test("an index that is cut, longer, or another's is refused", async () => {
    const records = Array.from({ length: 700 }, (_, i): Written => ({ ids: [i, i, i], prompt: 1 }));
    const [good, other] = [
      await tokensOf(records, 2, false),
      await tokensOf([...records].reverse().slice(1), 2, false),
    ];
    checkTokens(good);
    fc.assert(
      fc.property(fc.nat(good.index.size), (size) => {
        const cut = {
          size,
          read: (offset: number, length: number) => good.index.read(offset, Math.min(length, size - offset)),
        };
        if (size < good.index.size) expect(() => checkTokens({ ...good, index: cut })).toThrow(UserError);
      }),
    );
    expect(() => checkTokens({ ...good, index: other.index })).toThrow(UserError);
    expect(() => checkTokens({ ...good, ids: other.ids })).toThrow(UserError);
  });

  test("a stream is read anywhere inside it, and nowhere else", async () => {
    const tokens = await tokensOf(
      Array.from({ length: 9 }, (_, i) => ({ ids: [2 * i, 2 * i + 1], prompt: 1 })),
      2,
      false,
    );
    const stream = openStream(tokens, 3, 15);
    expect(stream.length).toBe(12);
    expect(Array.from(stream.read(0, 12))).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    expect(Array.from(stream.read(11, 1))).toEqual([14]);
    expect(() => stream.read(11, 2)).toThrow("stream: 2 ids from 11 of 12");
  });

  test("CRC-32 is the one of zip", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
    expect(crc32(new TextEncoder().encode("12345678"))).toBe(0x9ae0daaf);
  });
});

describe("a split", () => {
  test("puts every record on one side, both in order, as many as asked for", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 500 }),
        fc.double({ min: 0.001, max: 0.999, noNaN: true }),
        fc.nat(),
        (count, ratio, seed) => {
          const { train, evaluation } = splitRecords(count, ratio, seed);
          const list = ({ count, at }: typeof train) => Array.from({ length: count }, (_, i) => at(i));
          const [a, b] = [list(train), list(evaluation)];
          expect([...a, ...b].sort((x, y) => x - y)).toEqual(Array.from({ length: count }, (_, i) => i));
          for (const side of [a, b]) expect(side).toEqual([...side].sort((x, y) => x - y));
          expect(b.length).toBe(Math.min(count - 1, Math.max(1, Math.round(count * ratio))));
        },
      ),
      { numRuns: 300 },
    );
  });

  test("holds out every record about as often as any other", () => {
    const times = new Array<number>(10).fill(0);
    for (let seed = 0; seed < 2000; seed++) times[splitRecords(10, 0.1, seed).evaluation.at(0)]!++;
    for (const count of times) expect(Math.abs(count - 200)).toBeLessThan(60);
  });

  test("works with more records than 32 bits count", () => {
    const { train, evaluation } = splitRecords(6e9, 0.01, 7);
    expect(train.at(train.count - 1)).toBeLessThan(6e9);
    expect(evaluation.at(evaluation.count - 1)).toBeGreaterThan(5.99e9);
    expect(selectRecords(sequencesOf([]), train).count).toBe(train.count);
  });
});

test("padding is what random batches have on average", () => {
  const lengths = [2, 3, 3, 9, 20];
  const counts = new Map([
    [2, 1],
    [3, 2],
    [9, 1],
    [20, 1],
  ]);
  const [context, up] = [12, (places: number) => Math.ceil(places / 4) * 4];
  let [real, padded] = [0, 0];
  for (const a of lengths) {
    for (const b of lengths) {
      const places = [a, b].map((length) => Math.min(length - 1, context));
      real += places[0]! + places[1]!;
      padded += 2 * up(Math.max(...places));
    }
  }
  expect(paddingShare(counts, 2, context, up)).toBeCloseTo(1 - real / padded, 12);
  expect(paddingShare(counts, 1, context)).toBeCloseTo(0, 12);
  expect(
    withoutCounts(
      counts,
      new Map([
        [3, 1],
        [9, 1],
      ]),
    ),
  ).toEqual(
    new Map([
      [2, 1],
      [3, 1],
      [20, 1],
    ]),
  );
});
