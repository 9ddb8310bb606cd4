import { describe, expect, test } from "vitest";
import { f32 } from "../../src/kernels/op.ts";
import { COLUMN, FINISHED, packSettings, rowStride, unpackSettings } from "../../src/kernels/sample-settings.ts";
import { sampleCase, sampleTokenOp } from "../../src/kernels/sample-token.ts";
import { runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { checkOp } from "../support/check.ts";
import { openTestRuntime, testDrivers } from "../support/drivers.ts";

const wide = { ...f32([64, 1000]), scale: 3 };
const everything = { temperature: 0.8, topK: 200, topP: 0.9, minP: 0.02, repetitionPenalty: 1.4, noRepeatNgramSize: 2 };

/** Four rows of 9 logits, of which these ids have the highest, in this order. */
function best(...ids: number[]) {
  const row = Array.from({ length: 9 }, (_, id) => (ids.includes(id) ? 9 - ids.indexOf(id) : -id));
  return { ...f32([4, 9]), values: [row, row, row, row].flat() };
}

/** So many logits that invocations have several: the first is so large that exp of it overflows, unless it is taken from all. */
const steep = {
  ...f32([4, 300]),
  values: Array.from({ length: 1200 }, (_, i) => (i % 300 === 0 ? 200 : -0.01 * (i % 300))),
};

/** The same with histories that differ: the second row has only 6s, the others only 0s. */
function apart(check: ReturnType<typeof sampleCase>) {
  const history = {
    ...check.inputs.history!,
    values: Array.from({ length: 28 }, (_, i) => (i >= 7 && i < 14 ? 6 : 0)),
  };
  return { ...check, inputs: { ...check.inputs, history } };
}

checkOp(sampleTokenOp, {
  gpuCases: [
    sampleCase({ repetitionPenalty: 1.7 }),
    sampleCase({ noRepeatNgramSize: 1 }),
    sampleCase({ noRepeatNgramSize: 3 }, wide),
    sampleCase({ badWordsIds: [[4], [1, 5], [0, 0, 1]], endIds: [2, 3], minLength: 5 }),
    sampleCase({ doSample: true, topP: 0.5, seed: 3 }, wide),
    sampleCase({ doSample: true, topK: 7, temperature: 0.3, seed: 4 }, wide),
    sampleCase({ doSample: true, minP: 0.3, seed: 5 }, wide),
    sampleCase({ doSample: true, seed: 2 ** 40 + 6, ...everything }, wide),
    // the best of each row is what a rule forbids: a word alone, one behind 1, one behind 2 0, an end that is too early
    sampleCase({ badWordsIds: [[4], [1, 5], [2, 0, 1]], endIds: [2, 3], minLength: 5 }, best(4, 5, 1, 2)),
    sampleCase({ badWordsIds: [[4], [1, 5], [2, 0, 1]], endIds: [2, 3], minLength: 5 }, best(1, 5, 3)),
    sampleCase({ endIds: [7, 2], minLength: 3 }, best(2, 7, 4)),
    sampleCase({ badWordsIds: [[0]] }, steep),
    // the best is what one row's own history forbids
    apart(sampleCase({ badWordsIds: [[4], [6, 5]] }, best(5, 3))),
    apart(sampleCase({ noRepeatNgramSize: 1 }, best(6, 0, 3))),
    // the best of each row is one that no token has, and some of those that are likely are
    sampleCase({ vocabulary: 5, repetitionPenalty: 1.5 }, best(5, 8, 6)),
    sampleCase({ vocabulary: 5, doSample: true, topK: 3, seed: 11 }, best(5, 8, 3)),
    sampleCase({ vocabulary: 1, doSample: true, seed: 12 }),
    sampleCase({ vocabulary: 9 }),
    // the best lies behind the end of two rows, where nothing has been said yet
    sampleCase({ noRepeatNgramSize: 1 }, best(1, 3)),
    // all but one of the vocabulary banned, and then all of it
    sampleCase({ doSample: true, badWordsIds: [0, 1, 2, 3, 4, 5, 6, 7].map((id) => [id]) }),
    sampleCase({ badWordsIds: [0, 1, 2, 3, 4, 5, 6, 7, 8].map((id) => [id]) }),
    sampleCase({ doSample: true, topK: 2 }, { ...f32([4, 1]) }),
    // rows whose logits are not finite, which are told and left alone
    sampleCase(
      {},
      { ...f32([4, 9]), values: Array.from({ length: 36 }, (_, i) => (i === 4 ? Infinity : i === 20 ? NaN : i)) },
    ),
    // rows of equal logits: greedy takes the first, top-k keeps every tie
    sampleCase({}, { ...f32([4, 9]), values: new Array(36).fill(-0.5) }),
    sampleCase({ doSample: true, topK: 1, seed: 9 }, { ...f32([4, 9]), values: new Array(36).fill(-0.5) }),
  ],
});

describe("as on a hardware GPU, folded grids", () => {
  const gpuCases = [
    sampleCase({ doSample: true, seed: 8, ...everything }, wide),
    sampleCase({ badWordsIds: [[0]] }, steep),
  ];
  checkOp(sampleTokenOp, { gpuCases, traits: { software: false, maxGroupsPerDimension: 11 } });
});

test("settings survive packing", () => {
  const given = {
    seed: 2 ** 50 + 3,
    endIds: [5, 6],
    badWordsIds: [[1], [2, 3, 4]],
    topK: 4,
    noRepeatNgramSize: 2,
    vocabulary: 9,
  };
  const { key, ...rest } = unpackSettings(packSettings(given));
  expect(key).toEqual([3, 2 ** 18]);
  expect(rest).toMatchObject({
    endIds: [5, 6],
    badWordsIds: [[1], [2, 3, 4]],
    topK: 4,
    minP: 0,
    topP: 1,
    vocabulary: 9,
  });
});

/** Rows that share their logits draw one token each, 20,000 at a time; their numbers are their own. */
async function countDraws(parts: number, run: (check: ReturnType<typeof sampleCase>) => ReturnType<typeof runOp>) {
  const V = 12;
  const logits = Array.from({ length: V }, (_, id) => 2 * Math.sin(id * 2.3));
  const counts = new Float64Array(V);
  const B = 20_000;
  for (let part = 0; part < parts; part++) {
    const check = sampleCase({ doSample: true, seed: 40 + part }, { ...f32([B, V]), values: repeat(logits, B) });
    const rows = { ...check.inputs.rows!, values: rowsAtPosition(B, 1) };
    const { rowsAfter } = await run({ ...check, inputs: { ...check.inputs, rows } });
    for (let row = 0; row < B; row++) counts[rowsAfter![row]!]! += 1;
  }
  return { counts, weights: logits.map(Math.exp) };
}

function repeat(values: number[], times: number): number[] {
  return Array.from({ length: times }, () => values).flat();
}

function rowsAtPosition(B: number, position: number): number[] {
  const rows = new Uint32Array(5 * rowStride(B));
  rows.fill(position, COLUMN.position * rowStride(B), COLUMN.finished * rowStride(B));
  rows.fill(FINISHED.no, COLUMN.finished * rowStride(B), COLUMN.least * rowStride(B));
  rows.fill(7, COLUMN.most * rowStride(B));
  return [...rows];
}

test.each(["CPU", ...testDrivers] as const)("draws on %s pass a chi-square test", async (adapter) => {
  // SwiftShader takes a second for each.
  const parts = adapter === "embedded" ? 1 : 5;
  const runtime = adapter === "CPU" ? createCpuRuntime() : await openTestRuntime(adapter);
  const { counts, weights } = await countDraws(parts, (check) => runOp(runtime, sampleTokenOp, check));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const wanted = weights.map((weight) => (20_000 * parts * weight) / total);
  const statistic = wanted.reduce((sum, count, id) => sum + (counts[id]! - count) ** 2 / count, 0);
  // the 0.1 % point of chi-square with 11 degrees of freedom
  expect(statistic).toBeLessThan(31.26);
  expect(statistic).toBeGreaterThan(1);
  runtime.close();
});
