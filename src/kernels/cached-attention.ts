import { bytesPerElement, FORMATS, type Format, type NumericArray } from "../core/dtype.ts";
import { formatShape, sizeOf } from "../core/shape.ts";
import { type CpuCache, cacheTypes, type LayerCache, openCache, sizesOf } from "./layer-cache.ts";
import {
  type CaseInput,
  defineOp,
  expectType,
  f32,
  type OpCase,
  shapeError,
  type TensorType,
  type Value,
} from "./op.ts";

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
    const { B, H, D, T } = sizes;
    const cache = openCache(sizes, keysAfter, valuesAfter);
    for (let b = 0; b < B; b++) {
      const p = positions.data[b]!;
      for (let h = 0; h < H; h++) {
        const q = (b * 3 * H + h) * D;
        putFrom(cache, [b, h, p], qkv.data, [q + H * D, q + 2 * H * D], D);
        const rowOf = (t: number): number => (t === p ? b : table.data[b * T + t]!);
        const scores = Array.from({ length: p + 1 }, (_, t) => {
          let dot = 0;
          for (let d = 0; d < D; d++) dot += qkv.data[q + d]! * cache.key(rowOf(t), h, t, d);
          return dot / Math.sqrt(D);
        });
        const highest = scores.reduce((a, b) => Math.max(a, b));
        const weights = scores.map((score) => Math.exp(score - highest));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let d = 0; d < D; d++) {
          let sum = 0;
          weights.forEach((weight, t) => {
            sum += weight * cache.value(rowOf(t), h, t, d);
          });
          y.data[(b * H + h) * D + d] = sum / total;
        }
      }
    }
  },
  // as if every cache were full
  cost: ({ keys, values, qkv }) => {
    const { B, H, D, T } = sizesOf("cachedAttention", { qkv, keys, values });
    const cached = sizeOf(keys.shape) + sizeOf(values.shape);
    return { flops: 4 * B * H * T * D, bytes: bytesPerElement(keys.dtype) * cached + 4 * sizeOf(qkv.shape) };
  },
  cases: [
    attentionCase(2, 4, 5, [0, 4]),
    attentionCase(1, 3, 70, [69, 63, 64], [0, 0, 0]),
    attentionCase(2, 4, 5, [0, 4], undefined, "f16"),
    attentionCase(1, 3, 70, [69, 63, 64], [0, 0, 0], "f16"),
    attentionCase(2, 4, 5, [0, 4], undefined, "i8"),
    attentionCase(1, 3, 70, [69, 63, 64], [0, 0, 0], "i8"),
  ],
});

/**
 * Puts the keys and values of P sequences of S tokens into the cache from position 0 on, sequence p into row cacheRows[p].
 * qkv: [P S, 3 H D]; cacheRows: u32 [P], below B and all different; keys, values: see `LayerCache`, updated. S <= T.
 * qkvAfter is qkv with keys and values as the cache has them, rounded where that rounds: who attends to them now computes with the
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
    const { H, D } = sizes;
    const cache = openCache(sizes, keysAfter, valuesAfter);
    const S = qkv.shape[0]! / cacheRows.data.length;
    for (let row = 0; row < qkv.shape[0]!; row++) {
      const [b, s] = [cacheRows.data[Math.floor(row / S)]!, row % S];
      for (let h = 0; h < H; h++) {
        const [k, v] = [((row * 3 + 1) * H + h) * D, ((row * 3 + 2) * H + h) * D];
        putFrom(cache, [b, h, s], qkv.data, [k, v], D);
        for (let d = 0; d < D; d++) {
          qkvAfter.data[k + d] = cache.key(b, h, s, d);
          qkvAfter.data[v + d] = cache.value(b, h, s, d);
        }
      }
    }
  },
  // keys and values are read and stored; where that rounds them they are written back, too
  cost: ({ qkv, keys, values }) => {
    const { entry, slots, D } = sizesOf("cacheAppend", { qkv, keys, values });
    const channels = (2 / 3) * sizeOf(qkv.shape);
    return { flops: 0, bytes: 4 * channels * ((entry > 1 ? 2 : 1) + slots / D) };
  },
  cases: FORMATS.flatMap((format) => [
    { inputs: { qkv: f32([6, 24]), cacheRows: u32Of([2, 0]), ...cacheCase(3, 5, 2, 4, format) } },
    { inputs: { qkv: f32([7, 9]), cacheRows: u32Of([0]), ...cacheCase(1, 7, 1, 3, format) } },
  ]),
});

/** Keeps key and value of row b, head h, position t, D channels each, which begin in qkv at `k` and `v`. */
function putFrom(
  cache: CpuCache,
  [b, h, t]: readonly [number, number, number],
  qkv: NumericArray,
  [k, v]: readonly [number, number],
  D: number,
): void {
  cache.put(b, h, t, qkv.subarray(k, k + D), qkv.subarray(v, v + D));
}

function sameType({ dtype, shape }: TensorType): TensorType {
  return { dtype, shape };
}

function u32Of(values: number[]) {
  return { dtype: "u32" as const, shape: [values.length], values };
}

/** A cache of contents of any kind, for a case. */
export function cacheCase(B: number, T: number, H: number, D: number, format: Format) {
  const types = cacheTypes(B, T, H, D, format);
  if (format !== "i8") return types;
  const slots = types.values.shape[3]!;
  const words = ({ shape }: TensorType, slotOf: (i: number) => number): CaseInput => {
    // Bytes of all kinds, and steps of a hundredth and more.
    const values = Array.from({ length: sizeOf(shape) }, (_, i) =>
      slotOf(i) === slots - 1 ? 0x3c200000 + ((i % 5) << 19) : Math.imul(i + 1, 0x9e3779b1) >>> 0,
    );
    return { dtype: "u32", shape, values };
  };
  return { keys: words(types.keys, (i) => Math.floor(i / T) % slots), values: words(types.values, (i) => i % slots) };
}

/** B rows, all of the cache random; row b reads its past from row `past[b]`, its own by default. */
export function attentionCase(
  H: number,
  D: number,
  T: number,
  positions: number[],
  past?: number[],
  format: Format = "f32",
): OpCase {
  const table = positions.flatMap((_, b) => new Array<number>(T).fill(past?.[b] ?? b));
  return {
    inputs: {
      qkv: f32([positions.length, 3 * H * D]),
      positions: { dtype: "u32", shape: [positions.length], values: positions },
      table: { dtype: "u32", shape: [positions.length, T], values: table },
      ...cacheCase(positions.length, T, H, D, format),
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
