import { addressAt, intAt, least, words } from "./args";
import { endOfStretch, rowAt, toWeights } from "./attention";

// Attention to a cache of whole numbers of 8 bits, four channels a word, times a step that a head's channels at a position share: behind
// them, its bits. src/kernels/layer-cache.ts has the shapes, src/core/quantize.ts what a step is.

/** args: B H D T | qkv positions table keys values y. A piece is a head of a row. */
export function cachedAttentionBytes(args: usize, piece: i32, scratch: usize): void {
  const heads = intAt(args, 1);
  const d = intAt(args, 2);
  const t = intAt(args, 3);
  const b = piece / heads;
  const h = piece % heads;
  const slots = slotsOf(d);
  const q = addressAt(args, 4) + words(d) * <usize>(3 * b * heads + h);
  const p = load<i32>(addressAt(args, 5) + words(b));
  const table = addressAt(args, 6) + words(t) * <usize>b;
  const keys = addressAt(args, 7);
  const values = addressAt(args, 8);
  const y = addressAt(args, 9) + words(d) * <usize>piece;
  const head = words(slots * t);
  keep(q + words(heads * d), d, keys + head * <usize>piece + words(p), words(t));
  keep(q + words(2 * heads * d), d, values + head * <usize>piece + words(p * slots), 4);
  const factor = <f32>(1 / sqrt<f64>(<f64>d));
  const scores = scratch;
  // Stretches of positions that lie in one row of the cache.
  for (let at = 0; at <= p; ) {
    const row = rowAt(table, at, p, b);
    const end = endOfStretch(table, at, p, b);
    scoresOf(scores, q, keys + head * <usize>(row * heads + h), d, t, at, end, factor);
    at = end;
  }
  const share = toWeights(scores, p + 1);
  memory.fill(y, 0, words(d));
  for (let j = 0; j <= p; j++) {
    const row = rowAt(table, j, p, b);
    const value = values + head * <usize>(row * heads + h) + words(j * slots);
    addTo(y, value, d, load<f32>(scores + words(j)) * load<f32>(value + words(slots - 1)));
  }
  for (let c = 0; c < d; c++) store<f32>(y + words(c), load<f32>(y + words(c)) * share);
}

/** args: S H D T | qkv cacheRows keys values. A piece is a head of a sequence. */
export function cacheAppendBytes(args: usize, piece: i32, _scratch: usize): void {
  const s = intAt(args, 0);
  const heads = intAt(args, 1);
  const d = intAt(args, 2);
  const t = intAt(args, 3);
  const slots = slotsOf(d);
  const sequence = piece / heads;
  const h = piece % heads;
  const row = load<i32>(addressAt(args, 5) + words(sequence));
  const keys = addressAt(args, 6) + words(slots * t) * <usize>(row * heads + h);
  const values = addressAt(args, 7) + words(slots * t) * <usize>(row * heads + h);
  let key = addressAt(args, 4) + words(3 * heads * d) * <usize>(sequence * s) + words((heads + h) * d);
  for (let i = 0; i < s; i++) {
    const value = key + words(heads * d);
    giveBack(key, d, keys + words(i), words(t), keep(key, d, keys + words(i), words(t)));
    giveBack(value, d, values + words(i * slots), 4, keep(value, d, values + words(i * slots), 4));
    key += words(3 * heads * d);
  }
}

/** Words of a head at a position: its channels, and their step. */
// @ts-expect-error: decorator
@inline
function slotsOf(d: i32): i32 {
  return ((d + 3) >> 2) + 1;
}

/** Keeps d channels as words that are `stride` bytes apart, and their step behind them; gives the step. */
function keep(from: usize, d: i32, to: usize, stride: usize): f32 {
  // Of numbers without a sign bits have the same order, and what is not finite comes last.
  let highest: u32 = 0;
  for (let c = 0; c < d; c++) {
    const magnitude = load<u32>(from + words(c)) & 0x7fffffff;
    if (magnitude > highest) highest = magnitude;
  }
  // no number, where a channel is not finite; below 2^-100 all is zero
  let step: u32 = 0x7fc00000;
  let inverse: f32 = 0;
  if (highest < 0x7f800000) {
    const floor: u32 = 0x0d800000;
    // just above 1 / 127
    const exact = reinterpret<u32>(reinterpret<f32>(highest > floor ? highest : floor) * reinterpret<f32>(0x3c010205));
    step = (exact + 0x7ffff) & 0xfff80000;
    const sixteenths = (step >> 19) & 15;
    inverse = reinterpret<f32>((254 - (step >> 23)) << 23) * <f32>(16 / (16 + <f64>sixteenths));
  }
  for (let c = 0; c < d; c += 4) {
    let word: u32 = 0;
    if (inverse != 0)
      for (let i = 0; i < least(4, d - c); i++) {
        const whole = <i32>nearest<f32>(load<f32>(from + words(c + i)) * inverse);
        word |= (<u32>whole & 255) << (8 * i);
      }
    store<u32>(to, word);
    to += stride;
  }
  store<u32>(to, step);
  return reinterpret<f32>(step);
}

/** Writes d channels as the cache has them where they came from. */
function giveBack(to: usize, d: i32, from: usize, stride: usize, step: f32): void {
  for (let c = 0; c < d; c++) {
    const word = load<i32>(from + stride * <usize>(c >> 2));
    store<f32>(to + words(c), <f32>((word << (24 - 8 * (c & 3))) >> 24) * step);
  }
}

/** scores[j] = q . key j for j in [from, to), keys being [slots][t]. */
function scoresOf(scores: usize, q: usize, keys: usize, d: i32, t: i32, from: i32, to: i32, factor: f32): void {
  const f = f32x4.splat(factor);
  const steps = keys + words((slotsOf(d) - 1) * t);
  let j = from;
  for (; j + 8 <= to; j += 8) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let at = keys + words(j);
    for (let c = 0; c < d; c += 4) {
      let low = v128.load(at);
      let high = v128.load(at, 16);
      for (let i = 0; i < least(4, d - c); i++) {
        const x = v128.load32_splat(q + words(c + i));
        s0 = f32x4.add(s0, f32x4.mul(x, lowest(low)));
        s1 = f32x4.add(s1, f32x4.mul(x, lowest(high)));
        low = i32x4.shr_s(low, 8);
        high = i32x4.shr_s(high, 8);
      }
      at += words(t);
    }
    v128.store(scores + words(j), f32x4.mul(s0, f32x4.mul(f, v128.load(steps + words(j)))));
    v128.store(scores + words(j), f32x4.mul(s1, f32x4.mul(f, v128.load(steps + words(j), 16))), 16);
  }
  for (; j < to; j++) {
    let sum: f32 = 0;
    for (let c = 0; c < d; c++) {
      const word = load<i32>(keys + words((c >> 2) * t + j));
      sum += load<f32>(q + words(c)) * <f32>((word << (24 - 8 * (c & 3))) >> 24);
    }
    store<f32>(scores + words(j), sum * (factor * load<f32>(steps + words(j))));
  }
}

/** The lowest bytes of four words, as numbers. */
// @ts-expect-error: decorator
@inline
function lowest(four: v128): v128 {
  return f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(four, 24), 24));
}

/** y += share value, over d channels. */
function addTo(y: usize, value: usize, d: i32, share: f32): void {
  const w = f32x4.splat(share);
  let c = 0;
  for (; c + 4 <= d; c += 4) {
    const bytes = v128.load32_zero(value + <usize>c);
    const four = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(bytes)));
    v128.store(y + words(c), f32x4.add(v128.load(y + words(c)), f32x4.mul(w, four)));
  }
  for (; c < d; c++)
    store<f32>(y + words(c), load<f32>(y + words(c)) + share * <f32>load<i8>(value + <usize>c));
}
