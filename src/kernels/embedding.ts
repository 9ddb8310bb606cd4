import { sizeOf } from "../core/shape.ts";
import { bytesCase, matrixBytes, matrixOf, rowOf } from "./byte-matrix.ts";
import { defineOp, expectType, f16, f32, shapeError, type Value } from "./op.ts";

/**
 * y[n] = table[ids[n]] + residual[n]. ids: u32 [N], below V (the host checks); table: [V, C], f32 or f16,
 * its gradient f32, or with `steps` words in 8 bits (`matrixOf`), which have none; y, residual: [N, C].
 * order: u32 [N], the places 0..N-1 sorted by their id, ties in order (`sortedOrder`); only the gradient needs it.
 */
export const embeddingOp = defineOp({
  name: "embedding",
  inputs: ["ids", "table"],
  optional: ["order", "residual", "steps"],
  outputs: ["y"],
  halves: ["table"],
  shapes: ({ ids, table: stored, steps, order, residual }) => {
    expectType("embedding", "ids", ids, "u32", [-1]);
    const table = matrixOf("embedding", "table", stored, steps);
    const y = f32([ids.shape[0]!, table.shape[1]!]);
    if (order) expectType("embedding", "order", order, "u32", ids.shape);
    if (residual) expectType("embedding", "residual", residual, "f32", y.shape);
    return { y };
  },
  cpu: ({ ids, table, steps, residual }, { y }) => {
    const c = y.shape[1]!;
    for (let n = 0; n < ids.data.length; n++) {
      const row = rowOf(table, steps, ids.data[n]!);
      for (let j = 0; j < c; j++) y.data[n * c + j] = row[j]! + (residual?.data[n * c + j] ?? 0);
    }
  },
  vjp: ({ ids, table, order, residual }, _outputs, { y: dy }, _attrs, context) => {
    if (!dy) return {};
    const passed = residual ? { residual: dy } : {};
    if (!context.needs("table")) return passed;
    if (!order) shapeError("embedding", "its gradient needs the input order; see sortedOrder");
    const into = context.accumulated("table");
    const { dtable } = embeddingBackwardOp.apply({ dy, ids, order, into }, { rows: table.shape[0]! });
    return { table: dtable, ...passed };
  },
  cost: ({ table, steps }, { y }) => {
    const read = matrixBytes({ ...matrixOf("embedding", "table", table, steps), shape: y.shape });
    return { flops: 0, bytes: read + 4 * sizeOf(y.shape) };
  },
  cases: [
    { inputs: { ids: u32([4], [2, 0, 2, 1]), order: u32([4], [1, 3, 0, 2]), table: f32([3, 5]) } },
    {
      inputs: {
        ids: u32([3], [1, 1, 0]),
        order: u32([3], [2, 0, 1]),
        table: f32([4, 4]),
        residual: f32([3, 4]),
      },
    },
    { inputs: { ids: u32([4], [2, 0, 2, 1]), order: u32([4], [1, 3, 0, 2]), table: f16([3, 5]) } },
    { inputs: { ids: u32([3], [1, 1, 0]), order: u32([3], [2, 0, 1]), table: f16([4, 4]), residual: f32([3, 4]) } },
    ...[8, 16].map((group) => {
      const { b: table, steps } = bytesCase(4, 16, group);
      return { inputs: { ids: u32([3], [1, 3, 0]), table, steps, residual: f32([3, 16]) } };
    }),
  ],
});

/**
 * dtable[v] = sum of dy[n] over the n with ids[n] = v, added to `into` where given (only rows that occur are touched).
 * Deterministic: each row is summed by one invocation a column, in the order of the tokens.
 */
export const embeddingBackwardOp = defineOp({
  name: "embeddingBackward",
  inputs: ["dy", "ids", "order"],
  optional: ["into"],
  outputs: ["dtable"],
  updates: { dtable: "into" },
  attrs: { rows: 0 },
  shapes: ({ dy, into }, { rows }) => {
    const dtable = f32([rows, dy.shape[1]!]);
    if (into) expectType("embeddingBackward", "into", into, "f32", dtable.shape);
    return { dtable };
  },
  cpu: ({ dy, ids }, { dtable }) => {
    const c = dy.shape[1]!;
    const sums = Float64Array.from(dtable.data);
    for (let n = 0; n < ids.data.length; n++) {
      for (let j = 0; j < c; j++) sums[ids.data[n]! * c + j]! += dy.data[n * c + j]!;
    }
    dtable.data.set(sums);
  },
  cost: ({ dy }) => ({ flops: sizeOf(dy.shape), bytes: 8 * sizeOf(dy.shape) }),
  cases: [
    {
      inputs: { dy: f32([4, 3]), ids: u32([4], [2, 0, 2, 1]), order: u32([4], [1, 3, 0, 2]), into: f32([5, 3]) },
      attrs: { rows: 5 },
    },
    {
      inputs: { dy: f32([4, 8]), ids: u32([4], [2, 0, 2, 1]), order: u32([4], [1, 3, 0, 2]), into: f32([5, 8]) },
      attrs: { rows: 5 },
    },
  ],
});

function u32(shape: readonly number[], values: readonly number[]) {
  return { dtype: "u32" as const, shape, values };
}

/** The places 0..N-1 sorted by their id, ties in order: what the gradient of an embedding walks along. */
export function sortedOrder(ids: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  return new Uint32Array(ids.length).map((_, n) => n).sort((a, b) => ids[a]! - ids[b]! || a - b);
}

/** Rows of a table by their ids, [N, C]. */
export function embedding(
  ids: Value,
  table: Value,
  options: { order?: Value | undefined; residual?: Value; steps?: Value | undefined } = {},
): Value {
  return embeddingOp.apply({ ids, table, ...options }).y;
}
