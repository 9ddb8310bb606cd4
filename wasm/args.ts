// Kernels are told what to do by words in memory: sizes, addresses and f32 numbers, in the order that src/kernels lists them.
// All have one form: kernel(args, piece, scratch). `piece` says which part of the work, cut the same way for any number of
// threads; `scratch` is memory of the thread's own.

// @ts-expect-error: decorator
@inline
export function intAt(args: usize, n: i32): i32 {
  return load<i32>(args + (<usize>n << 2));
}

// @ts-expect-error: decorator
@inline
export function floatAt(args: usize, n: i32): f32 {
  return load<f32>(args + (<usize>n << 2));
}

/** An address; 0 where a tensor is absent. */
// @ts-expect-error: decorator
@inline
export function addressAt(args: usize, n: i32): usize {
  return <usize>load<u32>(args + (<usize>n << 2));
}

// @ts-expect-error: decorator
@inline
export function least(a: i32, b: i32): i32 {
  return a < b ? a : b;
}

/** Bytes of n words. */
// @ts-expect-error: decorator
@inline
export function words(n: i32): usize {
  return <usize>n << 2;
}
