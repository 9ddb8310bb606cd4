import { formatShape, sizeOf } from "../core/shape.ts";
import { defineOp, expectType, f32, type OpCase, shapeError, type TensorType, type Value } from "./op.ts";

/** A layer's keys [B, H, D, T], so that neighbouring positions are read together, and its values [B, H, T, D]. */
export interface LayerCache {
  readonly keys: Value;
  readonly values: Value;
}

/** Types of the cache of one layer: B rows of T positions. */
export function cacheTypes(B: number, T: number, H: number, D: number): { keys: TensorType; values: TensorType } {
  return { keys: f32([B, H, D, T]), values: f32([B, H, T, D]) };
}

interface Sizes {
  readonly B: number;
  readonly H: number;
  readonly D: number;
  readonly T: number;
}

export function sizesOf(op: string, { keys, values, qkv }: Record<"keys" | "values" | "qkv", TensorType>): Sizes {
  const [B = 0, H = 0, D = 0, T = 0] = keys.shape;
  expectType(op, "keys", keys, "f32", [-1, -1, -1, -1]);
  expectType(op, "values", values, "f32", [B, H, T, D]);
  expectType(op, "qkv", qkv, "f32", [-1, 3 * H * D]);
  return { B, H, D, T };
}

/**
 * Attention of one new token of each row to the positions that the cache has, and to itself: row b's token stands at
 * p = positions[b] < T, its key and value join the cache in row b, and
 * y_b = sum over t <= p of softmax(q . k_t / sqrt(D)) v_t, head by head, k_t and v_t from row table[b, t] of the cache.
 * The table lets rows share what they have in common: a prompt, the past of a beam; no row may read the place that
 * another writes in the same run. qkv: [B, 3 H D]; positions: u32 [B];
 * table: u32 [B, T], each below B; keys, values: see `LayerCache`, updated; y: [B, H D].
 */
export const cachedAttentionOp = defineOp({
  name: "cachedAttention",
  inputs: ["qkv", "positions", "table", "keys", "values"],
  outputs: ["y", "keysAfter", "valuesAfter"],
  updates: { keysAfter: "keys", valuesAfter: "values" },
  shapes: ({ qkv, positions, table, keys, values }) => {
    const { B, H, D, T } = sizesOf("cachedAttention", { qkv, keys, values });
    expectType("cachedAttention", "positions", positions, "u32", [B]);
    expectType("cachedAttention", "table", table, "u32", [B, T]);
    if (qkv.shape[0] !== B)
      shapeError("cachedAttention", `qkv ${formatShape(qkv.shape)}, wanted a row for each of the cache's ${B}`);
    return { y: f32([B, H * D]), keysAfter: f32(keys.shape), valuesAfter: f32(values.shape) };
  },
  cpu: ({ qkv, positions, table, keys }, { y, keysAfter, valuesAfter }) => {
    const [B, H, D, T] = keys.shape as [number, number, number, number];
    for (let b = 0; b < B; b++) {
      const p = positions.data[b]!;
      for (let h = 0; h < H; h++) {
        const q = (b * 3 * H + h) * D;
        for (let d = 0; d < D; d++) {
          keysAfter.data[((b * H + h) * D + d) * T + p] = qkv.data[q + H * D + d]!;
          valuesAfter.data[((b * H + h) * T + p) * D + d] = qkv.data[q + 2 * H * D + d]!;
        }
        const rowOf = (t: number): number => (t === p ? b : table.data[b * T + t]!);
        const scores = Array.from({ length: p + 1 }, (_, t) => {
          let dot = 0;
          for (let d = 0; d < D; d++) dot += qkv.data[q + d]! * keysAfter.data[((rowOf(t) * H + h) * D + d) * T + t]!;
          return dot / Math.sqrt(D);
        });
        const highest = scores.reduce((a, b) => Math.max(a, b));
        const weights = scores.map((score) => Math.exp(score - highest));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let d = 0; d < D; d++) {
          let sum = 0;
          weights.forEach((weight, t) => {
            sum += weight * valuesAfter.data[((rowOf(t) * H + h) * T + t) * D + d]!;
          });
          y.data[(b * H + h) * D + d] = sum / total;
        }
      }
    }
  },
  // as if every cache were full
  cost: ({ keys, qkv }) => ({ flops: 4 * sizeOf(keys.shape), bytes: 8 * sizeOf(keys.shape) + 4 * sizeOf(qkv.shape) }),
  cases: [attentionCase(2, 4, 5, [0, 4]), attentionCase(1, 3, 70, [69, 63, 64], [0, 0, 0])],
});

/**
 * Puts the keys and values of P sequences of S tokens into the cache from position 0 on, sequence p into row cacheRows[p].
 * qkv: [P S, 3 H D]; cacheRows: u32 [P], below B and all different; keys, values: see `LayerCache`, updated. S <= T.
 */
export const cacheAppendOp = defineOp({
  name: "cacheAppend",
  inputs: ["qkv", "cacheRows", "keys", "values"],
  outputs: ["keysAfter", "valuesAfter"],
  updates: { keysAfter: "keys", valuesAfter: "values" },
  shapes: ({ qkv, cacheRows, keys, values }) => {
    const { B, T } = sizesOf("cacheAppend", { qkv, keys, values });
    expectType("cacheAppend", "cacheRows", cacheRows, "u32", [-1]);
    const P = cacheRows.shape[0]!;
    const S = qkv.shape[0]! / P;
    if (P > B || !Number.isInteger(S) || S > T)
      shapeError("cacheAppend", `${P} sequences, qkv ${formatShape(qkv.shape)}, a cache of ${B} rows of ${T} places`);
    return { keysAfter: f32(keys.shape), valuesAfter: f32(values.shape) };
  },
  cpu: ({ qkv, cacheRows, keys }, { keysAfter, valuesAfter }) => {
    const [, H, D, T] = keys.shape as [number, number, number, number];
    const S = qkv.shape[0]! / cacheRows.data.length;
    for (let row = 0; row < qkv.shape[0]!; row++) {
      const [b, s] = [cacheRows.data[Math.floor(row / S)]!, row % S];
      for (let c = 0; c < H * D; c++) {
        const [h, d] = [Math.floor(c / D), c % D];
        keysAfter.data[((b * H + h) * D + d) * T + s] = qkv.data[(row * 3 + 1) * H * D + c]!;
        valuesAfter.data[((b * H + h) * T + s) * D + d] = qkv.data[(row * 3 + 2) * H * D + c]!;
      }
    }
  },
  cost: ({ qkv }) => ({ flops: 0, bytes: (16 / 3) * sizeOf(qkv.shape) }),
  cases: [
    { inputs: { qkv: f32([6, 24]), cacheRows: u32Of([2, 0]), ...cacheTypes(3, 5, 2, 4) } },
    { inputs: { qkv: f32([7, 9]), cacheRows: u32Of([0]), ...cacheTypes(1, 7, 1, 3) } },
  ],
});

function u32Of(values: number[]) {
  return { dtype: "u32" as const, shape: [values.length], values };
}

/** B rows, all of the cache random; row b reads its past from row `past[b]`, its own by default. */
export function attentionCase(H: number, D: number, T: number, positions: number[], past?: number[]): OpCase {
  const table = positions.flatMap((_, b) => new Array<number>(T).fill(past?.[b] ?? b));
  return {
    inputs: {
      qkv: f32([positions.length, 3 * H * D]),
      positions: { dtype: "u32", shape: [positions.length], values: positions },
      table: { dtype: "u32", shape: [positions.length, T], values: table },
      ...cacheTypes(positions.length, T, H, D),
    },
  };
}

/** See `cachedAttentionOp`. */
export function cachedAttention(qkv: Value, positions: Value, table: Value, cache: LayerCache): Value {
  return cachedAttentionOp.apply({ qkv, positions, table, ...cache }).y;
}

/** See `cacheAppendOp`. */
export function cacheAppend(qkv: Value, cacheRows: Value, cache: LayerCache): void {
  cacheAppendOp.apply({ qkv, cacheRows, ...cache });
}
