import { addressAt, intAt, least, words } from "./args";
import { activateRows, finish, sums4 } from "./matmul";

// Matrices of whole numbers of 8 bits, `group` neighbours of which, a multiple of 8, are times a step. src/kernels/byte-matrix.ts has the shapes.

/** The first four of eight numbers of 16 bits, and the others. */
// @ts-expect-error: decorator
@inline
function low(eight: v128): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(eight));
}

// @ts-expect-error: decorator
@inline
function high(eight: v128): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(eight));
}

/**
 * y += the products of 8 neighbours of a row of a with 8 rows of b, over `columns` columns that share a step in each row: `rows8` of matmul.ts. Bytes
 * from row to row of b, and of steps.
 */
export function rowsBytes8(x: usize, b: usize, stride: usize, steps: usize, strideSteps: usize, columns: i32, y: usize): void {
  const x0 = f32x4.mul(v128.load32_splat(x), v128.load32_splat(steps));
  steps += strideSteps;
  const x1 = f32x4.mul(v128.load32_splat(x, 4), v128.load32_splat(steps));
  steps += strideSteps;
  const x2 = f32x4.mul(v128.load32_splat(x, 8), v128.load32_splat(steps));
  steps += strideSteps;
  const x3 = f32x4.mul(v128.load32_splat(x, 12), v128.load32_splat(steps));
  steps += strideSteps;
  const x4 = f32x4.mul(v128.load32_splat(x, 16), v128.load32_splat(steps));
  steps += strideSteps;
  const x5 = f32x4.mul(v128.load32_splat(x, 20), v128.load32_splat(steps));
  steps += strideSteps;
  const x6 = f32x4.mul(v128.load32_splat(x, 24), v128.load32_splat(steps));
  steps += strideSteps;
  const x7 = f32x4.mul(v128.load32_splat(x, 28), v128.load32_splat(steps));
  const stride3 = 3 * stride;
  const end = y + words(columns);
  while (y < end) {
    let s = v128.load(y);
    let t = v128.load(y, 16);
    let eight = v128.load8x8_s(b);
    s = f32x4.add(s, f32x4.mul(x0, low(eight)));
    t = f32x4.add(t, f32x4.mul(x0, high(eight)));
    eight = v128.load8x8_s(b + stride);
    s = f32x4.add(s, f32x4.mul(x1, low(eight)));
    t = f32x4.add(t, f32x4.mul(x1, high(eight)));
    eight = v128.load8x8_s(b + 2 * stride);
    s = f32x4.add(s, f32x4.mul(x2, low(eight)));
    t = f32x4.add(t, f32x4.mul(x2, high(eight)));
    eight = v128.load8x8_s(b + stride3);
    s = f32x4.add(s, f32x4.mul(x3, low(eight)));
    t = f32x4.add(t, f32x4.mul(x3, high(eight)));
    const at = b + (stride << 2);
    eight = v128.load8x8_s(at);
    s = f32x4.add(s, f32x4.mul(x4, low(eight)));
    t = f32x4.add(t, f32x4.mul(x4, high(eight)));
    eight = v128.load8x8_s(at + stride);
    s = f32x4.add(s, f32x4.mul(x5, low(eight)));
    t = f32x4.add(t, f32x4.mul(x5, high(eight)));
    eight = v128.load8x8_s(at + 2 * stride);
    s = f32x4.add(s, f32x4.mul(x6, low(eight)));
    t = f32x4.add(t, f32x4.mul(x6, high(eight)));
    eight = v128.load8x8_s(at + stride3);
    s = f32x4.add(s, f32x4.mul(x7, low(eight)));
    t = f32x4.add(t, f32x4.mul(x7, high(eight)));
    v128.store(y, s);
    v128.store(y, t, 16);
    y += 32;
    b += 8;
  }
}

// @ts-expect-error: decorator
@inline
function dots8(s: v128, b: usize, v: v128, w: v128): v128 {
  const eight = v128.load8x8_s(b);
  return f32x4.add(f32x4.add(s, f32x4.mul(v, low(eight))), f32x4.mul(w, high(eight)));
}

/** The products of one row of a with four rows of b, along k: `dots4` of matmul.ts, each step of which is multiplied once. */
export function dotsBytes4(x: usize, b: usize, stride: usize, steps: usize, strideSteps: usize, k: i32, group: i32, to: usize): void {
  let t0 = f32x4.splat(0);
  let t1 = t0;
  let t2 = t0;
  let t3 = t0;
  const stride3 = 3 * stride;
  const end = x + words(k);
  while (x < end) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    const stop = x + words(group);
    while (x < stop) {
      const v = v128.load(x);
      const w = v128.load(x, 16);
      s0 = dots8(s0, b, v, w);
      s1 = dots8(s1, b + stride, v, w);
      s2 = dots8(s2, b + 2 * stride, v, w);
      s3 = dots8(s3, b + stride3, v, w);
      x += 32;
      b += 8;
    }
    t0 = f32x4.add(t0, f32x4.mul(s0, v128.load32_splat(steps)));
    t1 = f32x4.add(t1, f32x4.mul(s1, v128.load32_splat(steps + strideSteps)));
    t2 = f32x4.add(t2, f32x4.mul(s2, v128.load32_splat(steps + 2 * strideSteps)));
    t3 = f32x4.add(t3, f32x4.mul(s3, v128.load32_splat(steps + 3 * strideSteps)));
    steps += 4;
  }
  v128.store(to, sums4(t0, t1, t2, t3));
}

/** args: as `matmul`, whose last are steps and group; a as it is, M small. A piece is all rows of `columns` columns. */
export function matmulBytesFewRows(args: usize, piece: i32, scratch: usize): void {
  const M = intAt(args, 0);
  const N = intAt(args, 1);
  const K = intAt(args, 2);
  const transposeB = intAt(args, 4) != 0;
  const first = piece * intAt(args, 6);
  const last = least(N, first + intAt(args, 6));
  const a = addressAt(args, 8);
  const b = addressAt(args, 9);
  const steps = addressAt(args, 16);
  const group = intAt(args, 17);
  let n = first;
  if (transposeB) {
    const strideSteps = words(K / group);
    for (; n < last; n += 4) {
      const count = least(4, last - n);
      // The last columns again where there are less than four.
      const from = n + 4 <= N ? n : N - 4;
      if (from < 0) break;
      for (let m = 0; m < M; m++) {
        const at = b + <usize>K * <usize>from;
        dotsBytes4(a + words(K) * <usize>m, at, K, steps + strideSteps * <usize>from, strideSteps, K, group, scratch);
        for (let j = 0; j < count; j++) finish(args, m, n + j, load<f32>(scratch + words(n + j - from)));
      }
    }
  } else {
    // Eight rows of b side by side, as `matmulFewRows` takes them; columns are a multiple of 8.
    const strideSteps = words(N / group);
    const columns = last - first;
    memory.fill(scratch, 0, words(M * columns));
    let k = 0;
    for (; k + 8 <= K; k += 8) {
      for (let c = first; c < last; ) {
        // As far as the step goes.
        const next = least(last, (c / group + 1) * group);
        const at = k * N + c;
        for (let m = 0; m < M; m++)
          rowsBytes8(a + words(K * m + k), b + at, N, steps + words(at / group), strideSteps, next - c, scratch + words(columns * m + c - first));
        c = next;
      }
    }
    for (let m = 0; m < M; m++) {
      for (let j = 0; j < columns; j++) {
        let sum = load<f32>(scratch + words(columns * m + j));
        for (let i = k; i < K; i++) {
          const at = i * N + first + j;
          sum += load<f32>(a + words(K * m + i)) * load<f32>(steps + words(at / group)) * <f32>load<i8>(b + at);
        }
        finish(args, m, first + j, sum);
      }
    }
    n = last;
  }
  for (; n < last; n++) {
    for (let m = 0; m < M; m++) {
      let sum: f32 = 0;
      for (let k = 0; k < K; k++) {
        const at = transposeB ? K * n + k : N * k + n;
        sum += load<f32>(a + words(K * m + k)) * (<f32>load<i8>(b + at) * load<f32>(steps + words(at / group)));
      }
      finish(args, m, n, sum);
    }
  }
  activateRows(args, M, first, last);
}

/**
 * Panels [k][8] of columns [0, count) and k [0, depth) of op(b), as `packB` of matmul.ts has them; op(b) begins at element `first` of b, whose rows
 * have `ldb` of them, a multiple of 8. Columns beyond are zeros.
 */
export function packBytes(to: usize, panel: usize, b: usize, first: i32, ldb: i32, transposed: bool, count: i32, depth: i32, steps: usize, group: i32): void {
  if (!transposed) {
    for (let k = 0; k < depth; k++) {
      const row = first + k * ldb;
      const end = row + count;
      let at = to + (<usize>k << 5);
      for (let i = row; i < end; ) {
        // As far as the step goes.
        const g = i / group;
        const next = least(end, (g + 1) * group);
        const step = v128.load32_splat(steps + words(g));
        for (; i < next; i += 8) {
          const eight = v128.load8x8_s(b + i);
          v128.store(at, f32x4.mul(step, low(eight)));
          v128.store(at, f32x4.mul(step, high(eight)), 16);
          at += panel;
        }
      }
    }
    return;
  }
  for (let n = 0; n < count; n += 8) {
    for (let half = 0; half < 8; half += 4) {
      const left = count - n - half;
      const row = first + (n + half) * ldb;
      let at = to + words(half);
      for (let k = 0; k < depth; k += 4) {
        const r0 = left > 0 ? four(b, row + k, steps, group) : f32x4.splat(0);
        const r1 = left > 1 ? four(b, row + ldb + k, steps, group) : f32x4.splat(0);
        const r2 = left > 2 ? four(b, row + 2 * ldb + k, steps, group) : f32x4.splat(0);
        const r3 = left > 3 ? four(b, row + 3 * ldb + k, steps, group) : f32x4.splat(0);
        const ab = v128.shuffle<i32>(r0, r1, 0, 4, 1, 5);
        const cd = v128.shuffle<i32>(r2, r3, 0, 4, 1, 5);
        const abHigh = v128.shuffle<i32>(r0, r1, 2, 6, 3, 7);
        const cdHigh = v128.shuffle<i32>(r2, r3, 2, 6, 3, 7);
        v128.store(at, v128.shuffle<i64>(ab, cd, 0, 2));
        v128.store(at, v128.shuffle<i64>(ab, cd, 1, 3), 32);
        v128.store(at, v128.shuffle<i64>(abHigh, cdHigh, 0, 2), 64);
        v128.store(at, v128.shuffle<i64>(abHigh, cdHigh, 1, 3), 96);
        at += 128;
      }
    }
    to += panel;
  }
}

/** Four neighbours from element `at` on. */
// @ts-expect-error: decorator
@inline
function four(b: usize, at: i32, steps: usize, group: i32): v128 {
  const bytes = v128.load32_zero(b + at);
  return f32x4.mul(v128.load32_splat(steps + words(at / group)), low(i16x8.extend_low_i8x16_s(bytes)));
}

/** args: N C rows | ids table residual y steps group. A piece is some rows. */
export function embeddingBytes(args: usize, piece: i32, _scratch: usize): void {
  const C = intAt(args, 1);
  const first = piece * intAt(args, 2);
  const last = least(intAt(args, 0), first + intAt(args, 2));
  const residual = addressAt(args, 5);
  const steps = addressAt(args, 7);
  const group = intAt(args, 8);
  for (let n = first; n < last; n++) {
    const from = C * load<i32>(addressAt(args, 3) + words(n));
    const to = addressAt(args, 6) + words(C * n);
    for (let c = 0; c < C; c += 4) {
      let value = four(addressAt(args, 4), from + c, steps, group);
      if (residual) value = f32x4.add(value, v128.load(residual + words(C * n + c)));
      v128.store(to + words(c), value);
    }
  }
}
