// What every matmul shader knows: y[M, N] = finish(a[M, K] . b[K, N]), where the element
//   a(row, k)      is at A_START + row * A_ROW + k * A_K
//   b(k, column)   is at B_START + k * B_K + column * B_COLUMN
//   y(row, column) is at Y_START + row * Y_ROW + column
// so that a transposed operand is a matter of strides, and a part of a larger product one of starts.
// Along K the work is cut into SPLITS stretches of K_STEP; with more than one, stretch s goes to rows s * M and on.

override M: u32;
override N: u32;
override K: u32;
override A_START: u32;
override A_ROW: u32;
override A_K: u32;
override B_START: u32;
override B_K: u32;
override B_COLUMN: u32;
override Y_START: u32;
override Y_ROW: u32;
override BIAS_START: u32;
override K_STEP: u32;

