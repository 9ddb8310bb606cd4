import { addressAt, floatAt, intAt, least, words } from "./args";
import { loadTail, storeTail } from "./math";

/** The first word of the last `philox`; each thread has its own globals. */
export let word0: u32 = 0;

/** Philox 4x32-10, the bits of src/core/philox.ts. */
export function philox(c0: u32, c1: u32, c2: u32, c3: u32, k0: u32, k1: u32): void {
  for (let round = 0; round < 10; round++) {
    const left = <u64>0xd2511f53 * <u64>c0;
    const right = <u64>0xcd9e8d57 * <u64>c2;
    c0 = <u32>(right >> 32) ^ c1 ^ k0;
    c1 = <u32>right;
    c2 = <u32>(left >> 32) ^ c3 ^ k1;
    c3 = <u32>left;
    k0 += 0x9e3779b9;
    k1 += 0xbb67ae85;
  }
  word0 = c0;
}

/** The words of `philox` for four counters from c0 on, end to end: 16 words. */
export function philox4(to: usize, c0: u32, c1: u32, c2: u32, c3: u32, k0: u32, k1: u32): void {
  const m0 = i32x4.splat(0xd2511f53);
  const m1 = i32x4.splat(0xcd9e8d57);
  const w0 = i32x4.splat(0x9e3779b9);
  const w1 = i32x4.splat(0xbb67ae85);
  let a = i32x4.add(i32x4.splat(c0), i32x4(0, 1, 2, 3));
  let b = i32x4.splat(c1);
  let c = i32x4.splat(c2);
  let d = i32x4.splat(c3);
  let x = i32x4.splat(k0);
  let y = i32x4.splat(k1);
  for (let round = 0; round < 10; round++) {
    const left0 = i64x2.extmul_low_i32x4_u(a, m0);
    const left1 = i64x2.extmul_high_i32x4_u(a, m0);
    const right0 = i64x2.extmul_low_i32x4_u(c, m1);
    const right1 = i64x2.extmul_high_i32x4_u(c, m1);
    a = v128.xor(v128.xor(v128.shuffle<i32>(right0, right1, 1, 3, 5, 7), b), x);
    b = v128.shuffle<i32>(right0, right1, 0, 2, 4, 6);
    c = v128.xor(v128.xor(v128.shuffle<i32>(left0, left1, 1, 3, 5, 7), d), y);
    d = v128.shuffle<i32>(left0, left1, 0, 2, 4, 6);
    x = i32x4.add(x, w0);
    y = i32x4.add(y, w1);
  }
  const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cdHigh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(ab, cd, 0, 2));
  v128.store(to, v128.shuffle<i64>(ab, cd, 1, 3), 16);
  v128.store(to, v128.shuffle<i64>(abHigh, cdHigh, 0, 2), 32);
  v128.store(to, v128.shuffle<i64>(abHigh, cdHigh, 1, 3), 48);
}

/** What dropout multiplies four numbers by whose words lie there: 0 or `factor`. */
// @ts-expect-error: decorator
@inline
export function kept4(words: usize, rate: v128, factor: v128): v128 {
  const part = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(v128.load(words), 8)), f32x4.splat(5.9604644775390625e-8));
  return v128.andnot(factor, f32x4.lt(part, rate));
}

/** args: N chunk | x y step rate stream; chunk is a multiple of 16. scratch: 16 words. */
export function dropout(args: usize, piece: i32, scratch: usize): void {
  const first = piece * intAt(args, 1);
  const last = least(intAt(args, 0), first + intAt(args, 1));
  const x = addressAt(args, 2);
  const y = addressAt(args, 3);
  const step = addressAt(args, 4);
  const rate = f32x4.splat(floatAt(args, 5));
  const stream = <u32>intAt(args, 6);
  const rest = f32x4.splat(<f32>1 - floatAt(args, 5));
  const one = f32x4.splat(1);
  for (let i = first; i < last; i += 16) {
    philox4(scratch, <u32>i >> 2, 0, stream, load<u32>(step, 8), load<u32>(step), load<u32>(step, 4));
    const end = least(last, i + 16);
    let at = scratch;
    for (let j = i; j < end; j += 4) {
      const factor = kept4(at, rate, one);
      if (j + 4 <= end) v128.store(y + words(j), f32x4.mul(factor, f32x4.div(v128.load(x + words(j)), rest)));
      else storeTail(y + words(j), end - j, f32x4.mul(factor, f32x4.div(loadTail(x + words(j), end - j, 0), rest)));
      at += 16;
    }
  }
}
