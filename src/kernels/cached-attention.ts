import { bytesPerElement, type FloatDType } from "../core/dtype.ts";
import { roundToHalf } from "../core/half.ts";
import { formatShape, sizeOf } from "../core/shape.ts";
import { defineOp, expectType, f16, f32, type OpCase, shapeError, type TensorType, type Value } from "./op.ts";

/**
 * A layer's keys [B, H, D, T], so that neighbouring positions are read together, and its values [B, H, T, D]. In f16 two channels are a
 * word, keys [B, H, D/2, T, 2] and values [B, H, T, D/2, 2], so that a token writes whole words: no neighbour shares one, and every
 * adapter has words. Of an odd D the last word's second channel is zero.
 */
export interface LayerCache {
  readonly keys: Value;
  readonly values: Value;
}

/** Types of the cache of one layer: B rows of T positions. */
export function cacheTypes(
  B: number,
  T: number,
  H: number,
  D: number,
  dtype: FloatDType = "f32",
): { keys: TensorType; values: TensorType } {
  if (dtype === "f32") return { keys: f32([B, H, D, T]), values: f32([B, H, T, D]) };
  const pairs = Math.ceil(D / 2);
  return { keys: f16([B, H, pairs, T, 2]), values: f16([B, H, T, pairs, 2]) };
}

interface Sizes {
  readonly B: number;
  readonly H: number;
  readonly D: number;
  readonly T: number;
  /** What the cache is read and written by: a channel, or two of f16; and how many of them are a head's. */
  readonly entry: 1 | 2;
  readonly entries: number;
}

export function sizesOf(op: string, { keys, values, qkv }: Record<"keys" | "values" | "qkv", TensorType>): Sizes {
  const [B = 0, H = 0, entries = 0, T = 0] = keys.shape;
  const entry = keys.dtype === "f16" ? 2 : 1;
  const pair = entry === 2 ? [2] : [];
  expectType(op, "keys", keys, keys.dtype === "f16" ? "f16" : "f32", [-1, -1, -1, -1, ...pair]);
  expectType(op, "values", values, keys.dtype, [B, H, T, entries, ...pair]);
  expectType(op, "qkv", qkv, "f32", [-1, -1]);
  const D = qkv.shape[1]! / (3 * H);
  if (Math.ceil(D / entry) !== entries || !Number.isInteger(D))
    shapeError(op, `qkv is ${formatShape(qkv.shape)}, wanted [any, ${3 * H * entries * entry}] of ${H} heads`);
  return { B, H, D, T, entry, entries };
}

/** Where channel d of row b, head h, position t lies in keys and values. */
function placesIn({ H, T, entry, entries }: Sizes) {
  return {
    key: (b: number, h: number, t: number, d: number): number =>
      (((b * H + h) * entries + Math.floor(d / entry)) * T + t) * entry + (d % entry),
    value: (b: number, h: number, t: number, d: number): number => ((b * H + h) * T + t) * entries * entry + d,
  };
}

/**
 * What a cache keeps of a number: rounded to f16 in either precision of the reference, since attention reads what was kept. What f16 does
 * not hold is NaN there: a score of minus infinity would be left out without a word.
 */
function kept(entry: Sizes["entry"], value: number): number {
  if (entry === 1) return value;
  const half = roundToHalf(value);
  return Number.isFinite(half) ? half : Number.NaN;
}

/**
 * Attention of one new token of each row to the positions that the cache has, and to itself: row b's token stands at
 * p = positions[b] < T, its key and value join the cache in row b, and
 * y_b = sum over t <= p of softmax(q . k_t / sqrt(D)) v_t, head by head, k_t and v_t from row table[b, t] of the cache.
 * The table lets rows share what they have in common: a prompt, the past of a beam; no row may read the place that
 * another writes in the same run. qkv: [B, 3 H D]; positions: u32 [B];
 * table: u32 [B, T], each below B; keys, values: see `LayerCache`, updated, f32 or f16; y: [B, H D].
 */
export const cachedAttentionOp = defineOp({
  name: "cachedAttention",
  inputs: ["qkv", "positions", "table", "keys", "values"],
  outputs: ["y", "keysAfter", "valuesAfter"],
  updates: { keysAfter: "keys", valuesAfter: "values" },
  halves: ["keys", "values"],
  words: true,
  shapes: ({ qkv, positions, table, keys, values }) => {
    const { B, H, D, T } = sizesOf("cachedAttention", { qkv, keys, values });
    expectType("cachedAttention", "positions", positions, "u32", [B]);
    expectType("cachedAttention", "table", table, "u32", [B, T]);
    if (qkv.shape[0] !== B)
      shapeError("cachedAttention", `qkv ${formatShape(qkv.shape)}, wanted a row for each of the cache's ${B}`);
    return { y: f32([B, H * D]), keysAfter: sameType(keys), valuesAfter: sameType(values) };
  },
  cpu: ({ qkv, positions, table, keys, values }, { y, keysAfter, valuesAfter }) => {
    const sizes = sizesOf("cachedAttention", { qkv, keys, values });
    const { B, H, D, T, entry, entries } = sizes;
    const at = placesIn(sizes);
    for (let b = 0; b < B; b++) {
      const p = positions.data[b]!;
      for (let h = 0; h < H; h++) {
        const q = (b * 3 * H + h) * D;
        for (let d = 0; d < entries * entry; d++) {
          keysAfter.data[at.key(b, h, p, d)] = d < D ? kept(entry, qkv.data[q + H * D + d]!) : 0;
          valuesAfter.data[at.value(b, h, p, d)] = d < D ? kept(entry, qkv.data[q + 2 * H * D + d]!) : 0;
        }
        const rowOf = (t: number): number => (t === p ? b : table.data[b * T + t]!);
        const scores = Array.from({ length: p + 1 }, (_, t) => {
          let dot = 0;
          for (let d = 0; d < D; d++) dot += qkv.data[q + d]! * keysAfter.data[at.key(rowOf(t), h, t, d)]!;
          return dot / Math.sqrt(D);
        });
        const highest = scores.reduce((a, b) => Math.max(a, b));
        const weights = scores.map((score) => Math.exp(score - highest));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let d = 0; d < D; d++) {
          let sum = 0;
          weights.forEach((weight, t) => {
            sum += weight * valuesAfter.data[at.value(rowOf(t), h, t, d)]!;
          });
          y.data[(b * H + h) * D + d] = sum / total;
        }
      }
    }
  },
  // as if every cache were full
  cost: ({ keys, qkv }) => ({
    flops: 4 * sizeOf(keys.shape),
    bytes: 2 * bytesPerElement(keys.dtype) * sizeOf(keys.shape) + 4 * sizeOf(qkv.shape),
  }),
  cases: [
    attentionCase(2, 4, 5, [0, 4]),
    attentionCase(1, 3, 70, [69, 63, 64], [0, 0, 0]),
    attentionCase(2, 4, 5, [0, 4], undefined, "f16"),
    attentionCase(1, 3, 70, [69, 63, 64], [0, 0, 0], "f16"),
  ],
});

/**
 * Puts the keys and values of P sequences of S tokens into the cache from position 0 on, sequence p into row cacheRows[p].
 * qkv: [P S, 3 H D]; cacheRows: u32 [P], below B and all different; keys, values: see `LayerCache`, updated. S <= T.
 * qkvAfter is qkv with keys and values as the cache has them, rounded where that is f16: who attends to them now computes with the
 * numbers that later tokens read.
 */
export const cacheAppendOp = defineOp({
  name: "cacheAppend",
  inputs: ["qkv", "cacheRows", "keys", "values"],
  outputs: ["qkvAfter", "keysAfter", "valuesAfter"],
  updates: { qkvAfter: "qkv", keysAfter: "keys", valuesAfter: "values" },
  halves: ["keys", "values"],
  words: true,
  shapes: ({ qkv, cacheRows, keys, values }) => {
    const { B, T } = sizesOf("cacheAppend", { qkv, keys, values });
    expectType("cacheAppend", "cacheRows", cacheRows, "u32", [-1]);
    const P = cacheRows.shape[0]!;
    const S = qkv.shape[0]! / P;
    if (P > B || !Number.isInteger(S) || S > T)
      shapeError("cacheAppend", `${P} sequences, qkv ${formatShape(qkv.shape)}, a cache of ${B} rows of ${T} places`);
    return { qkvAfter: f32(qkv.shape), keysAfter: sameType(keys), valuesAfter: sameType(values) };
  },
  cpu: ({ qkv, cacheRows, keys, values }, { qkvAfter, keysAfter, valuesAfter }) => {
    const sizes = sizesOf("cacheAppend", { qkv, keys, values });
    const { H, D, entry, entries } = sizes;
    const at = placesIn(sizes);
    const S = qkv.shape[0]! / cacheRows.data.length;
    for (let row = 0; row < qkv.shape[0]!; row++) {
      const [b, s] = [cacheRows.data[Math.floor(row / S)]!, row % S];
      for (let h = 0; h < H; h++) {
        const [k, v] = [((row * 3 + 1) * H + h) * D, ((row * 3 + 2) * H + h) * D];
        for (let d = 0; d < D; d++) {
          qkvAfter.data[k + d] = kept(entry, qkv.data[k + d]!);
          qkvAfter.data[v + d] = kept(entry, qkv.data[v + d]!);
        }
        for (let d = 0; d < entries * entry; d++) {
          keysAfter.data[at.key(b, h, s, d)] = d < D ? qkvAfter.data[k + d]! : 0;
          valuesAfter.data[at.value(b, h, s, d)] = d < D ? qkvAfter.data[v + d]! : 0;
        }
      }
    }
  },
  // keys and values are read and stored; where that rounds them they are written back, too
  cost: ({ qkv, keys }) => ({
    flops: 0,
    bytes: (2 / 3) * (4 + bytesPerElement(keys.dtype) + (keys.dtype === "f16" ? 4 : 0)) * sizeOf(qkv.shape),
  }),
  cases: (["f32", "f16"] as const).flatMap((dtype) => [
    { inputs: { qkv: f32([6, 24]), cacheRows: u32Of([2, 0]), ...cacheTypes(3, 5, 2, 4, dtype) } },
    { inputs: { qkv: f32([7, 9]), cacheRows: u32Of([0]), ...cacheTypes(1, 7, 1, 3, dtype) } },
  ]),
});

function sameType({ dtype, shape }: TensorType): TensorType {
  return { dtype, shape };
}

function u32Of(values: number[]) {
  return { dtype: "u32" as const, shape: [values.length], values };
}

/** B rows, all of the cache random; row b reads its past from row `past[b]`, its own by default. */
export function attentionCase(
  H: number,
  D: number,
  T: number,
  positions: number[],
  past?: number[],
  dtype: FloatDType = "f32",
): OpCase {
  const table = positions.flatMap((_, b) => new Array<number>(T).fill(past?.[b] ?? b));
  return {
    inputs: {
      qkv: f32([positions.length, 3 * H * D]),
      positions: { dtype: "u32", shape: [positions.length], values: positions },
      table: { dtype: "u32", shape: [positions.length, T], values: table },
      ...cacheTypes(positions.length, T, H, D, dtype),
    },
  };
}

/** See `cachedAttentionOp`. */
export function cachedAttention(qkv: Value, positions: Value, table: Value, cache: LayerCache): Value {
  return cachedAttentionOp.apply({ qkv, positions, table, ...cache }).y;
}

/** See `cacheAppendOp`: gives qkv as the cache has it. */
export function cacheAppend(qkv: Value, cacheRows: Value, cache: LayerCache): Value {
  return cacheAppendOp.apply({ qkv, cacheRows, ...cache }).qkvAfter;
}
