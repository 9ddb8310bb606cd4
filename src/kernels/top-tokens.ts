import { logSoftmax } from "../core/processors.ts";
import { defineOp, expectType, f32, type OpCase, shapeError, type TensorType, type Value } from "./op.ts";
import { COLUMN, FINISHED, rowStride } from "./sample-settings.ts";

/**
 * The `count` likeliest tokens that may follow each row that is not finished, the likeliest first, of equals the lower id first, and their
 * log-probabilities under softmax(logits), whatever a rule of sampling would make of them. logits: [B, V], finite; rows: u32
 * [5, stride], see `COLUMN`; ids: u32 [B, T count] and logProbabilities: [B, T count], of which those at the place of the next
 * token are updated. Runs before `sampleTokenOp` moves the rows on.
 */
export const topTokensOp = defineOp({
  name: "topTokens",
  inputs: ["logits", "rows", "ids", "logProbabilities"],
  outputs: ["idsAfter", "logProbabilitiesAfter"],
  attrs: { count: 1 },
  updates: { idsAfter: "ids", logProbabilitiesAfter: "logProbabilities" },
  shapes: ({ logits, rows, ids, logProbabilities }, { count }) => {
    const [B, V] = logits.shape as [number, number];
    expectType("topTokens", "logits", logits, "f32", [-1, -1]);
    expectType("topTokens", "rows", rows, "u32", [5, rowStride(B)]);
    expectType("topTokens", "ids", ids, "u32", [B, -1]);
    expectType("topTokens", "logProbabilities", logProbabilities, "f32", ids.shape);
    if (count < 1 || count > V) shapeError("topTokens", `${count} of ${V} tokens; wanted 1 to ${V}`);
    if (ids.shape[1]! % count !== 0) shapeError("topTokens", `${ids.shape[1]} columns are no multiple of ${count}`);
    return { idsAfter: ids, logProbabilitiesAfter: f32(ids.shape) };
  },
  cpu: ({ logits, rows }, after, { count }) => {
    const [B, V] = logits.shape as [number, number];
    const columns = after.idsAfter.shape[1]!;
    for (let row = 0; row < B; row++) {
      const column = (name: keyof typeof COLUMN): number => rows.data[COLUMN[name] * rows.shape[1]! + row]!;
      if (column("finished") !== FINISHED.no) continue;
      const own = logits.data.subarray(row * V, (row + 1) * V);
      const logs = logSoftmax(own);
      const place = row * columns + (column("position") + 1) * count;
      const best = Array.from(own.keys()).sort((a, b) => own[b]! - own[a]! || a - b);
      for (let n = 0; n < count; n++) {
        after.idsAfter.data[place + n] = best[n]!;
        after.logProbabilitiesAfter.data[place + n] = logs[best[n]!]!;
      }
    }
  },
  cost: ({ logits }, _outputs, { count }) => ({
    flops: (4 + 2 * count) * logits.shape[0]! * logits.shape[1]!,
    bytes: 4 * logits.shape[0]! * logits.shape[1]!,
  }),
  cases: [topCase(1), topCase(3)],
});

/** See `topTokensOp`. */
export function topTokens(
  logits: Value,
  state: { readonly rows: Value; readonly ids: Value; readonly logProbabilities: Value },
  count: number,
): void {
  topTokensOp.apply({ logits, ...state }, { count });
}

/** A check case: rows of 7 places with some history, one of them finished. */
export function topCase(
  count: number,
  logits: TensorType & { scale?: number; values?: readonly number[] } = f32([4, 9]),
): OpCase {
  const [B, T] = [logits.shape[0]!, 7];
  const stride = rowStride(B);
  const rows = new Uint32Array(5 * stride);
  for (let row = 0; row < B; row++) {
    rows[COLUMN.position * stride + row] = 1 + (row % 4);
    rows[COLUMN.finished * stride + row] = row % 4 === 3 ? FINISHED.end : FINISHED.no;
  }
  return {
    inputs: {
      logits,
      rows: { dtype: "u32", shape: [5, stride], values: [...rows] },
      ids: { dtype: "u32", shape: [B, T * count], high: 9 },
      logProbabilities: f32([B, T * count]),
    },
    attrs: { count },
  };
}
