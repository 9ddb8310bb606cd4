import type { NumericArray } from "../core/dtype.ts";
import { philox, STREAM } from "../core/philox.ts";
import {
  applySamplingRules,
  applyScoreRules,
  bestOf,
  logSoftmax,
  type SamplingRules,
  type ScoreRules,
  softmax,
  tokenAt,
} from "../core/processors.ts";
import { defineOp, expectType, f32, type OpCase, type TensorType, type Value } from "./op.ts";
import { COLUMN, FINISHED, packSettings, rowStride, unpackSettings } from "./sample-settings.ts";

/**
 * Chooses the next token of each row that is not finished, by the rules of `core/processors.ts`, and moves the row on.
 * logits: [B, V]; settings: u32 [S], see `packSettings`; history: u32 [B, T], the ids of each row so far;
 * logProbabilities: [B, T], those of the chosen ids under softmax(logits); rows: u32 [5, stride], see `COLUMN`; the last
 * three are updated. A row draws from Philox at (seed, its number, its length), so no row depends on another.
 */
export const sampleTokenOp = defineOp({
  name: "sampleToken",
  inputs: ["logits", "settings", "history", "rows", "logProbabilities"],
  outputs: ["historyAfter", "rowsAfter", "logProbabilitiesAfter"],
  updates: { historyAfter: "history", rowsAfter: "rows", logProbabilitiesAfter: "logProbabilities" },
  shapes: ({ logits, settings, history, rows, logProbabilities }) => {
    const B = logits.shape[0]!;
    expectType("sampleToken", "logits", logits, "f32", [-1, -1]);
    expectType("sampleToken", "settings", settings, "u32", [-1]);
    expectType("sampleToken", "history", history, "u32", [B, -1]);
    expectType("sampleToken", "rows", rows, "u32", [5, rowStride(B)]);
    expectType("sampleToken", "logProbabilities", logProbabilities, "f32", history.shape);
    return { historyAfter: history, rowsAfter: rows, logProbabilitiesAfter: f32(history.shape) };
  },
  cpu: ({ logits, settings, rows }, after) => {
    const rules = unpackSettings(settings.data);
    const [B, V] = logits.shape as [number, number];
    const T = after.historyAfter.shape[1]!;
    for (let row = 0; row < B; row++) {
      const column = (name: keyof typeof COLUMN): number => COLUMN[name] * rows.shape[1]! + row;
      const state = after.rowsAfter.data;
      if (state[column("finished")] !== FINISHED.no) continue;
      const count = state[column("position")]! + 1;
      const own = logits.data.subarray(row * V, (row + 1) * V);
      if (!own.every((logit: number) => Number.isFinite(logit))) {
        state[column("finished")] = FINISHED.notFinite;
        continue;
      }
      const ids = Array.from(after.historyAfter.data.subarray(row * T, row * T + count));
      const id = choose(own, ids, { ...rules, minLength: state[column("least")]! }, row);
      if (id < 0) {
        state[column("finished")] = FINISHED.allBanned;
        continue;
      }
      after.historyAfter.data[row * T + count] = id;
      after.logProbabilitiesAfter.data[row * T + count] = logSoftmax(own)[id]!;
      state[column("token")] = id;
      state[column("position")] = count;
      const full =
        count + 1 >= state[column("most")]! ? FINISHED.length : count + 1 >= T ? FINISHED.context : FINISHED.no;
      state[column("finished")] = rules.endIds.includes(id) ? FINISHED.end : full;
    }
  },
  cost: ({ logits }) => ({
    flops: 8 * logits.shape[0]! * logits.shape[1]!,
    bytes: 4 * logits.shape[0]! * logits.shape[1]!,
  }),
  cases: [sampleCase({}), sampleCase({ doSample: true, topK: 3 })],
});

/** The id that the rules choose; -1 where they ban all. */
function choose(logits: NumericArray, ids: number[], rules: ReturnType<typeof unpackSettings>, row: number): number {
  const scores = Float64Array.from(logits);
  applyScoreRules(scores, ids, rules);
  const best = bestOf(scores);
  if (best < 0 || !rules.doSample) return best;
  applySamplingRules(scores, rules);
  const [word] = philox([ids.length, rules.firstRow + row, STREAM.sampling, 0], rules.key);
  return tokenAt(softmax(scores), word * 2 ** -32);
}

/** See `sampleTokenOp`. */
export function sampleToken(
  logits: Value,
  settings: Value,
  state: { readonly history: Value; readonly rows: Value; readonly logProbabilities: Value },
): void {
  sampleTokenOp.apply({ logits, settings, ...state });
}

/** A check case: rows of 7 places with some history, one of them finished. */
export function sampleCase(
  rules: Partial<ScoreRules & SamplingRules & { doSample: boolean; seed: number }>,
  logits: TensorType & { scale?: number; values?: readonly number[] } = f32([4, 9]),
): OpCase {
  const [B, T] = [logits.shape[0]!, 7];
  const stride = rowStride(B);
  const rows = new Uint32Array(5 * stride);
  for (let row = 0; row < B; row++) {
    rows[COLUMN.position * stride + row] = 1 + (row % 4);
    rows[COLUMN.finished * stride + row] = row % 4 === 3 ? FINISHED.end : FINISHED.no;
    rows[COLUMN.least * stride + row] = rules.minLength ?? 0;
    rows[COLUMN.most * stride + row] = 6;
  }
  const history = Array.from({ length: B * T }, (_, i) => ((i * 5) % 7) % 3);
  const settings = packSettings(rules);
  return {
    inputs: {
      logits,
      settings: { dtype: "u32", shape: [settings.length], values: [...settings] },
      history: { dtype: "u32", shape: [B, T], values: history },
      rows: { dtype: "u32", shape: [5, stride], values: [...rows] },
      logProbabilities: f32([B, T]),
    },
  };
}
