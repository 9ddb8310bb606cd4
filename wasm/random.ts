import { addressAt, floatAt, intAt, least, words } from "./args";

/** One of the four words of the last `philox`; each thread has its own globals. */
export let word0: u32 = 0;
export let word1: u32 = 0;
export let word2: u32 = 0;
export let word3: u32 = 0;

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
  word1 = c1;
  word2 = c2;
  word3 = c3;
}

/** What dropout multiplies a number by whose word this is. */
// @ts-expect-error: decorator
@inline
export function kept(word: u32, rate: f32, factor: f32): f32 {
  return <f32>(word >> 8) * <f32>5.9604644775390625e-8 < rate ? 0 : factor;
}

/** args: N chunk | x y step rate stream; chunk is a multiple of 4. */
export function dropout(args: usize, piece: i32, _scratch: usize): void {
  const first = piece * intAt(args, 1);
  const last = least(intAt(args, 0), first + intAt(args, 1));
  const x = addressAt(args, 2);
  const y = addressAt(args, 3);
  const step = addressAt(args, 4);
  const rate = floatAt(args, 5);
  const stream = <u32>intAt(args, 6);
  const k0 = load<u32>(step);
  const k1 = load<u32>(step, 4);
  const number = load<u32>(step, 8);
  const rest = <f32>1 - rate;
  for (let i = first; i < last; i += 4) {
    philox(<u32>i >> 2, 0, stream, number, k0, k1);
    let at = words(i);
    for (let j = 0; j < least(4, last - i); j++) {
      const word = j == 0 ? word0 : j == 1 ? word1 : j == 2 ? word2 : word3;
      store<f32>(y + at, kept(word, rate, 1) * (load<f32>(x + at) / rest));
      at += 4;
    }
  }
}
