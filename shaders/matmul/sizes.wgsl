// What every matmul shader knows: y[M, N] = finish(a[M, K] . b[K, N]), where the element
//   a(row, k)      is at A_START + row * A_ROW + k * A_K
//   b(k, column)   is at B_START + k * B_K + column * B_COLUMN
//   y(row, column) is at Y_START + row * Y_ROW + column
// so that a transposed operand is a matter of strides, and a part of a larger product one of starts.
// A, B and R, the types of what one load of a, b and the residual brings, are the dispatch's; Stored is lib/store_*.wgsl's.
// Along K the work is cut into SPLITS stretches of K_STEP; with more than one, stretch s goes to rows s * M and on.
// y has COLUMNS columns, N or more: those from N on are 0.
// Several products of these sizes lie one behind the other along z: product i INNER + j starts i *_OUTER + j *_INNER behind the
// first. work.wgsl has both. DROP_*: of gpu/finish_dropped.wgsl.
struct Uniforms {
  M: u32,
  N: u32,
  K: u32,
  A_START: u32,
  A_ROW: u32,
  A_K: u32,
  B_START: u32,
  B_K: u32,
  B_COLUMN: u32,
  Y_START: u32,
  Y_ROW: u32,
  BIAS_START: u32,
  K_STEP: u32,
  ROW_TILES: u32,
  SPLITS: u32,
  INNER: u32,
  A_OUTER: u32,
  A_INNER: u32,
  B_OUTER: u32,
  B_INNER: u32,
  Y_OUTER: u32,
  Y_INNER: u32,
  COLUMNS: u32,
  DROP_RATE: f32,
  DROP_STREAM: u32,
  DROP_FIRST: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

// K is a multiple of 4, and both operands are read 4 elements at a time: no load reaches past K
override K_WHOLE: bool;

