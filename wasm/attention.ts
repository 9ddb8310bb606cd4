import { addressAt, floatAt, intAt, least, words } from "./args";
import { exp4, lanesSum, loadTail, logOf, storeTail } from "./math";
import { product, scratchOf } from "./matmul";
import { philox4 } from "./random";
import { maximumOf, sumOf, sumOfExp } from "./rows";

// Causal attention by products of matrices: the scores of `ROWS` rows of a head at a time, in the thread's own memory.
// args: B T H D | qkv lengths starts step scale dropped stream, then what each kernel names. A piece is a head of a sequence.

/** Rows whose scores exist at a time; src/kernels/wasm/attention.ts counts the scratch. */
const ROWS: i32 = 64;

/** What is common to both kernels; each thread has its own globals. */
let T: i32 = 0;
let D: i32 = 0;
let C: i32 = 0;
let head: i32 = 0;
let real: i32 = 0;
let qkv: usize = 0;
let starts: usize = 0;
let step: usize = 0;
let scale: f32 = 0;
let dropped: i32 = 0;
let stream: u32 = 0;

function open(args: usize, piece: i32): void {
  T = intAt(args, 1);
  const H = intAt(args, 2);
  D = intAt(args, 3);
  C = H * D;
  head = piece;
  const b = piece / H;
  qkv = addressAt(args, 4) + words(3 * C) * <usize>(b * T) + words((piece % H) * D);
  starts = addressAt(args, 6);
  if (starts) starts += words(b * T);
  real = starts ? T : least(T, load<i32>(addressAt(args, 5) + words(b)));
  step = addressAt(args, 7);
  scale = floatAt(args, 8);
  dropped = intAt(args, 9);
  stream = <u32>intAt(args, 10);
}

/** The first key that any of the rows from `i` on sees, at a multiple of 8: starts never fall. */
function firstKey(i: i32): i32 {
  return starts ? load<i32>(starts + words(i)) & ~7 : 0;
}

/** x[j] = exp(x[j] scale - shift) for keys that row i sees; 0 for the others of [from, to). */
function weigh(x: usize, i: i32, from: i32, to: i32, shift: f32): void {
  const begin = (starts ? load<i32>(starts + words(i)) : 0) - from;
  const count = i + 1 - from;
  const s = f32x4.splat(scale);
  const m = f32x4.splat(shift);
  let j = 0;
  for (; j + 4 <= count; j += 4) {
    v128.store(x + words(j), exp4(f32x4.sub(f32x4.mul(v128.load(x + words(j)), s), m)));
  }
  if (j < count) {
    const tail = loadTail(x + words(j), count - j, 0);
    storeTail(x + words(j), count - j, exp4(f32x4.sub(f32x4.mul(tail, s), m)));
  }
  if (begin > 0) memory.fill(x, 0, words(begin));
  if (to - from > count) memory.fill(x + words(count), 0, words(to - from - count));
}

/** Multiplies x[j] of keys [from, i] by what dropout keeps of them. scratch: 16 words. */
function drop(x: usize, i: i32, from: i32, scratch: usize): void {
  const factor = f32x4.splat(<f32>(65536 / <f64>(65536 - dropped)));
  const least = i32x4.splat(dropped);
  const row = <u32>(head * T + i);
  for (let j = from; j <= i; j += 32) {
    philox4(scratch, <u32>j >> 3, row, stream, load<u32>(step, 8), load<u32>(step), load<u32>(step, 4));
    let at = x + words(j - from);
    let halves = scratch;
    for (let k = j; k <= i && k < j + 32; k += 8) {
      const some = v128.load(halves);
      keep(at, i + 1 - k, v128.and(factor, i32x4.ge_s(i32x4.extend_low_i16x8_u(some), least)));
      keep(at + 16, i + 1 - k - 4, v128.and(factor, i32x4.ge_s(i32x4.extend_high_i16x8_u(some), least)));
      at += 32;
      halves += 16;
    }
  }
}

/** Multiplies four numbers by four factors, the first `count` of them where there are fewer. */
function keep(at: usize, count: i32, factors: v128): void {
  if (count >= 4) v128.store(at, f32x4.mul(v128.load(at), factors));
  else if (count > 0) storeTail(at, count, f32x4.mul(loadTail(at, count, 0), factors));
}

/** args 11..: y logSumExp */
export function attention(args: usize, piece: i32, scratch: usize): void {
  open(args, piece);
  const H = intAt(args, 2);
  const b = piece / H;
  const y = addressAt(args, 11) + words(C) * <usize>(b * T) + words((piece % H) * D);
  const logSumExp = addressAt(args, 12) + words(T) * <usize>piece;
  const stride = words(3 * C);
  const scores = scratch + scratchOf(ROWS, T > D ? T : D);
  for (let i = 0; i < real; i += ROWS) {
    const rows = least(ROWS, real - i);
    const from = firstKey(i);
    const to = i + rows;
    const width = to - from;
    const keys = qkv + words(C) + stride * <usize>from;
    product(rows, width, D, qkv + stride * <usize>i, 3 * C, false, keys, 3 * C, true, scores, width, 0, 0, 0, scratch);
    for (let r = 0; r < rows; r++) {
      const row = scores + words(width) * <usize>r;
      const begin = starts ? load<i32>(starts + words(i + r)) : 0;
      const seen = row + words(begin - from);
      const count = i + r + 1 - begin;
      const shift = maximumOf(seen, count) * scale;
      weigh(row, i + r, from, to, shift);
      const total = sumOf(row, i + r + 1 - from);
      store<f32>(logSumExp + words(i + r), <f32>(<f64>shift + logOf(total)));
      const share = f32x4.splat(<f32>(1 / total));
      let j = 0;
      for (; j + 4 <= i + r + 1 - from; j += 4) v128.store(row + words(j), f32x4.mul(v128.load(row + words(j)), share));
      for (; j < i + r + 1 - from; j++)
        store<f32>(row + words(j), load<f32>(row + words(j)) * f32x4.extract_lane(share, 0));
      if (dropped > 0) drop(row, i + r, from, scratch);
    }
    product(
      rows,
      D,
      width,
      scores,
      width,
      false,
      keys + words(C),
      3 * C,
      false,
      y + words(C) * <usize>i,
      C,
      0,
      0,
      0,
      scratch,
    );
  }
  for (let i = real; i < T; i++) {
    memory.fill(y + words(C) * <usize>i, 0, words(D));
    store<f32>(logSumExp + words(i), 0);
  }
}

/** args 11..: y logSumExp dy dqkv */
export function attentionBackward(args: usize, piece: i32, scratch: usize): void {
  open(args, piece);
  const H = intAt(args, 2);
  const b = piece / H;
  const place = words(C) * <usize>(b * T) + words((piece % H) * D);
  const y = addressAt(args, 11) + place;
  const logSumExp = addressAt(args, 12) + words(T) * <usize>piece;
  const dy = addressAt(args, 13) + place;
  const stride = words(3 * C);
  const dq = addressAt(args, 14) + stride * <usize>(b * T) + words((piece % H) * D);
  const dk = dq + words(C);
  const dv = dk + words(C);
  for (let i = 0; i < T; i++) {
    const at = stride * <usize>i;
    memory.fill(dq + at, 0, words(D));
    memory.fill(dk + at, 0, words(D));
    memory.fill(dv + at, 0, words(D));
  }
  const weights = scratch + scratchOf(T > ROWS ? T : ROWS, T > D ? T : D);
  const slopes = weights + words(ROWS * T);
  const ld = 3 * C;
  for (let i = 0; i < real; i += ROWS) {
    const rows = least(ROWS, real - i);
    const from = firstKey(i);
    const to = i + rows;
    const width = to - from;
    const q = qkv + stride * <usize>i;
    const k = qkv + words(C) + stride * <usize>from;
    const v = k + words(C);
    const d = dy + words(C) * <usize>i;
    product(rows, width, D, q, ld, false, k, ld, true, weights, width, 0, 0, 0, scratch);
    product(rows, width, D, d, C, false, v, ld, true, slopes, width, 0, 0, 0, scratch);
    for (let r = 0; r < rows; r++) {
      const p = weights + words(width) * <usize>r;
      const s = slopes + words(width) * <usize>r;
      const count = i + r + 1 - from;
      weigh(p, i + r, from, to, load<f32>(logSumExp + words(i + r)));
      if (dropped > 0) drop(s, i + r, from, scratch);
      const delta = f32x4.splat(dot(d + words(C) * <usize>r, y + words(C) * <usize>(i + r), D));
      const factor = f32x4.splat(scale);
      let j = 0;
      for (; j + 4 <= count; j += 4) {
        const difference = f32x4.sub(v128.load(s + words(j)), delta);
        v128.store(s + words(j), f32x4.mul(f32x4.mul(v128.load(p + words(j)), difference), factor));
      }
      if (j < count) {
        const difference = f32x4.sub(loadTail(s + words(j), count - j, 0), delta);
        storeTail(
          s + words(j),
          count - j,
          f32x4.mul(f32x4.mul(loadTail(p + words(j), count - j, 0), difference), factor),
        );
      }
      // A weight of 0 keeps out what it must not see, unless that is not finite.
      const begin = (starts ? load<i32>(starts + words(i + r)) : 0) - from;
      if (begin > 0) memory.fill(s, 0, words(begin));
      if (width > count) memory.fill(s + words(count), 0, words(width - count));
      if (dropped > 0) drop(p, i + r, from, scratch);
    }
    product(rows, D, width, slopes, width, false, k, ld, false, dq + stride * <usize>i, ld, 0, 0, 0, scratch);
    const atK = dk + stride * <usize>from;
    const atV = dv + stride * <usize>from;
    product(width, D, rows, slopes, width, true, q, ld, false, atK, ld, atK, ld, 0, scratch);
    product(width, D, rows, weights, width, true, d, C, false, atV, ld, atV, ld, 0, scratch);
  }
}

function dot(a: usize, b: usize, count: i32): f32 {
  let sum = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    sum = f32x4.add(sum, f32x4.mul(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
  }
  if (i < count) sum = f32x4.add(sum, f32x4.mul(loadTail(a, count - i, 0), loadTail(b, count - i, 0)));
  return lanesSum(sum);
}

/** args: B H D T | qkv positions table keys values y. A piece is a head of a row. */
export function cachedAttention(args: usize, piece: i32, scratch: usize): void {
  const heads = intAt(args, 1);
  const d = intAt(args, 2);
  const t = intAt(args, 3);
  const b = piece / heads;
  const h = piece % heads;
  const q = addressAt(args, 4) + words(d) * <usize>(3 * b * heads + h);
  const p = load<i32>(addressAt(args, 5) + words(b));
  const table = addressAt(args, 6) + words(t) * <usize>b;
  const keys = addressAt(args, 7);
  const values = addressAt(args, 8);
  const y = addressAt(args, 9) + words(d) * <usize>piece;
  const own = <usize>piece * words(d * t);
  for (let c = 0; c < d; c++) {
    store<f32>(keys + own + words(c * t + p), load<f32>(q + words(heads * d + c)));
    store<f32>(values + own + words(p * d + c), load<f32>(q + words(2 * heads * d + c)));
  }
  const factor = <f32>(1 / sqrt<f64>(<f64>d));
  const scores = scratch;
  // Stretches of positions that lie in one row of the cache.
  for (let at = 0; at <= p; ) {
    const row = rowAt(table, at, p, b);
    const end = endOfStretch(table, at, p, b);
    scoresOf(scores, q, keys + <usize>(row * heads + h) * words(d * t), d, t, at, end, factor);
    at = end;
  }
  const share = toWeights(scores, p + 1);
  memory.fill(y, 0, words(d));
  for (let j = 0; j <= p; j++) {
    const row = rowAt(table, j, p, b);
    const weight = load<f32>(scores + words(j));
    const v = values + <usize>(row * heads + h) * words(d * t) + words(j * d);
    const w = f32x4.splat(weight);
    let c = 0;
    for (; c + 4 <= d; c += 4)
      v128.store(y + words(c), f32x4.add(v128.load(y + words(c)), f32x4.mul(w, v128.load(v + words(c)))));
    for (; c < d; c++) store<f32>(y + words(c), load<f32>(y + words(c)) + weight * load<f32>(v + words(c)));
  }
  for (let c = 0; c < d; c++) store<f32>(y + words(c), load<f32>(y + words(c)) * share);
}

/** The row of the cache that has position `at` of row b's past; its own token, at p, is in its own. */
// @ts-expect-error: decorator
@inline
export function rowAt(table: usize, at: i32, p: i32, b: i32): i32 {
  return at == p ? b : load<i32>(table + words(at));
}

/** Where the positions from `at` on end that lie in one row of the cache. */
export function endOfStretch(table: usize, at: i32, p: i32, b: i32): i32 {
  const row = rowAt(table, at, p, b);
  let end = at + 1;
  while (end < p && load<i32>(table + words(end)) == row) end++;
  return end == p && row == b ? p + 1 : end;
}

/** Makes scores weights; gives what the sum of what they weigh is to be multiplied by. */
export function toWeights(scores: usize, count: i32): f32 {
  const shift = maximumOf(scores, count);
  const total = sumOfExp(scores, count, shift);
  const m = f32x4.splat(shift);
  for (let j = 0; j < count; j += 4) v128.store(scores + words(j), exp4(f32x4.sub(v128.load(scores + words(j)), m)));
  return <f32>(1 / total);
}

/** scores[j] = q . key j for j in [from, to), keys being [d][t]. */
function scoresOf(scores: usize, q: usize, keys: usize, d: i32, t: i32, from: i32, to: i32, factor: f32): void {
  const f = f32x4.splat(factor);
  let j = from;
  for (; j + 16 <= to; j += 16) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let at = keys + words(j);
    for (let c = 0; c < d; c++) {
      const x = v128.load32_splat(q + words(c));
      s0 = f32x4.add(s0, f32x4.mul(x, v128.load(at)));
      s1 = f32x4.add(s1, f32x4.mul(x, v128.load(at, 16)));
      s2 = f32x4.add(s2, f32x4.mul(x, v128.load(at, 32)));
      s3 = f32x4.add(s3, f32x4.mul(x, v128.load(at, 48)));
      at += words(t);
    }
    v128.store(scores + words(j), f32x4.mul(s0, f));
    v128.store(scores + words(j), f32x4.mul(s1, f), 16);
    v128.store(scores + words(j), f32x4.mul(s2, f), 32);
    v128.store(scores + words(j), f32x4.mul(s3, f), 48);
  }
  for (; j < to; j++) {
    let sum: f32 = 0;
    for (let c = 0; c < d; c++) sum += load<f32>(q + words(c)) * load<f32>(keys + words(c * t + j));
    store<f32>(scores + words(j), sum * factor);
  }
}

/** args: S H D T rows P | qkv cacheRows keys values. A piece is a head of a sequence. */
export function cacheAppend(args: usize, piece: i32, _scratch: usize): void {
  const s = intAt(args, 0);
  const heads = intAt(args, 1);
  const d = intAt(args, 2);
  const t = intAt(args, 3);
  const sequence = piece / heads;
  const h = piece % heads;
  const row = load<i32>(addressAt(args, 5) + words(sequence));
  const keys = addressAt(args, 6) + <usize>(row * heads + h) * words(d * t);
  const values = addressAt(args, 7) + <usize>(row * heads + h) * words(d * t);
  let from = addressAt(args, 4) + words(3 * heads * d) * <usize>(sequence * s) + words((heads + h) * d);
  for (let i = 0; i < s; i++) {
    for (let c = 0; c < d; c++) store<f32>(keys + words(c * t + i), load<f32>(from + words(c)));
    memory.copy(values + words(i * d), from + words(heads * d), words(d));
    from += words(3 * heads * d);
  }
}
