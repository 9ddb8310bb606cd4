/** What the cache of a layer is in memory, and what it keeps of a number. */

import type { Format } from "../core/dtype.ts";
import { roundToHalf } from "../core/half.ts";
import { quantize } from "../core/quantize.ts";
import { formatShape } from "../core/shape.ts";
import { type CpuTensor, expectType, f16, f32, shapeError, type TensorType, type Value } from "./op.ts";

/**
 * A layer's keys [B, H, D, T], so that neighbouring positions are read together, and its values [B, H, T, D]. In f16 two channels are a
 * word, keys [B, H, D/2, T, 2] and values [B, H, T, D/2, 2], so that a token writes whole words: no neighbour shares one, and every
 * adapter has words. In i8 four channels are a u32, the first in its lowest bits, and behind a head's channels is their step, the bits of
 * an f32, which all of them share: keys [B, H, D/4 + 1, T], values [B, H, T, D/4 + 1]. Channels of the last word that there are not are zero.
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
  format: Format = "f32",
): { keys: TensorType; values: TensorType } {
  if (format === "f32") return { keys: f32([B, H, D, T]), values: f32([B, H, T, D]) };
  if (format === "f16") {
    const pairs = Math.ceil(D / 2);
    return { keys: f16([B, H, pairs, T, 2]), values: f16([B, H, T, pairs, 2]) };
  }
  const words = Math.ceil(D / 4) + 1;
  return { keys: { dtype: "u32", shape: [B, H, words, T] }, values: { dtype: "u32", shape: [B, H, T, words] } };
}

export interface CacheSizes {
  readonly B: number;
  readonly H: number;
  readonly D: number;
  readonly T: number;
  /** What the cache is read and written by: a channel, two of f16, or four of i8; and how many of them a head's channels are. */
  readonly entry: 1 | 2 | 4;
  readonly entries: number;
  /** Entries of a head at a position, its step included. */
  readonly slots: number;
}

const ENTRY = { f32: 1, f16: 2, u32: 4, i32: 4 } as const;

export function sizesOf(op: string, { keys, values, qkv }: Record<"keys" | "values" | "qkv", TensorType>): CacheSizes {
  const [B = 0, H = 0, slots = 0, T = 0] = keys.shape;
  const entry = ENTRY[keys.dtype];
  const pair = entry === 2 ? [2] : [];
  expectType(op, "keys", keys, entry === 4 ? "u32" : keys.dtype, [-1, -1, -1, -1, ...pair]);
  expectType(op, "values", values, keys.dtype, [B, H, T, slots, ...pair]);
  expectType(op, "qkv", qkv, "f32", [-1, -1]);
  const D = qkv.shape[1]! / (3 * H);
  const entries = entry === 4 ? slots - 1 : slots;
  if (Math.ceil(D / entry) !== entries || !Number.isInteger(D))
    shapeError(op, `qkv is ${formatShape(qkv.shape)}, wanted [any, ${3 * H * entries * entry}] of ${H} heads`);
  return { B, H, D, T, entry, entries, slots };
}

/** The CPU reference's hands on a cache: of row b, head h, position t. */
export interface CpuCache {
  key(b: number, h: number, t: number, d: number): number;
  value(b: number, h: number, t: number, d: number): number;
  /** Keeps key and value of a position, D channels each. */
  put(b: number, h: number, t: number, key: ArrayLike<number>, value: ArrayLike<number>): void;
}

export function openCache(sizes: CacheSizes, keys: CpuTensor, values: CpuTensor): CpuCache {
  const { H, D, T, entry, slots } = sizes;
  /** Where channel d lies in keys and values, or, in i8, the word that has it. */
  const keyAt = (b: number, h: number, t: number, d: number): number =>
    entry === 4
      ? ((b * H + h) * slots + (d >> 2)) * T + t
      : (((b * H + h) * slots + Math.floor(d / entry)) * T + t) * entry + (d % entry);
  const valueAt = (b: number, h: number, t: number, d: number): number =>
    entry === 4 ? ((b * H + h) * T + t) * slots + (d >> 2) : ((b * H + h) * T + t) * slots * entry + d;
  if (entry === 4) {
    const step = 4 * (slots - 1);
    return {
      key: (b, h, t, d) => byteOf(keys.data[keyAt(b, h, t, d)]!, d) * floatOf(keys.data[keyAt(b, h, t, step)]!),
      value: (b, h, t, d) =>
        byteOf(values.data[valueAt(b, h, t, d)]!, d) * floatOf(values.data[valueAt(b, h, t, step)]!),
      put(b, h, t, key, value) {
        wordsOf(key, D).forEach((word, i) => {
          keys.data[keyAt(b, h, t, 4 * i)] = word;
        });
        wordsOf(value, D).forEach((word, i) => {
          values.data[valueAt(b, h, t, 4 * i)] = word;
        });
      },
    };
  }
  return {
    key: (b, h, t, d) => keys.data[keyAt(b, h, t, d)]!,
    value: (b, h, t, d) => values.data[valueAt(b, h, t, d)]!,
    put(b, h, t, key, value) {
      for (let d = 0; d < slots * entry; d++) {
        keys.data[keyAt(b, h, t, d)] = d < D ? kept(entry, key[d]!) : 0;
        values.data[valueAt(b, h, t, d)] = d < D ? kept(entry, value[d]!) : 0;
      }
    },
  };
}

/**
 * What a cache keeps of a number: rounded to f16 in either precision of the reference, since attention reads what was kept. What f16 does
 * not hold is NaN there: a score of minus infinity would be left out without a word.
 */
function kept(entry: 1 | 2, value: number): number {
  if (entry === 1) return value;
  const half = roundToHalf(value);
  return Number.isFinite(half) ? half : Number.NaN;
}

/** A head's channels in i8, and their step. */
function wordsOf(channels: ArrayLike<number>, D: number): number[] {
  const words = new Uint32Array(Math.ceil(D / 4));
  const step = quantize(channels, 0, D, new Int8Array(words.buffer), 0);
  return [...words, bitsOf(step)];
}

function byteOf(word: number, d: number): number {
  return (word << (24 - 8 * (d % 4))) >> 24;
}

const scratch = new Float32Array(1);
const bits = new Uint32Array(scratch.buffer);

function floatOf(word: number): number {
  bits[0] = word;
  return scratch[0]!;
}

function bitsOf(value: number): number {
  scratch[0] = value;
  return Number.isNaN(value) ? 0x7fc00000 : bits[0]!;
}
