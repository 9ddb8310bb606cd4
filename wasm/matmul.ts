import { addressAt, intAt, least, words } from "./args";
import { packBytes } from "./byte-matrix";
import { geluErf, geluTanh, loadTail, storeTail } from "./math";

// y = op(a) op(b) + what there is already. Blocks of op(a) and op(b) are copied into panels, k by k: of op(b) 8 columns wide,
// of op(a) 5 or 4 rows high, so that the innermost loop reads both in order and keeps 5 x 8 sums in registers.
// Every sum runs over k in order, stretch by stretch, whatever the tile and whoever computes it: bits do not depend on cuts.

/** Columns of a panel of op(b). */
const NR: i32 = 8;
/** Rows of a high panel of op(a); 5 x 8 sums, 2 of b, 1 of a and 1 product fill the 15 registers that V8 has. */
const MR: i32 = 5;
/** k of one pass: panels of 8 KiB and 5 KiB stay in the first cache. */
const KC: i32 = 256;
/** Columns of a piece of `matmulPack`. */
const PACKED_COLUMNS: i32 = 64;

/** Copies rows [row, row + height) and k [0, depth) of op(a) as [k][height]; rows beyond `valid` are zeros. */
function packA(to: usize, a: usize, lda: i32, transposed: bool, valid: i32, height: i32, depth: i32): void {
  const stride = words(lda);
  const step = words(height);
  if (valid < height) {
    for (let i = 0; i < height; i++) {
      let from = a + (transposed ? words(i) : <usize>i * stride);
      const along: usize = transposed ? stride : 4;
      let at = to + words(i);
      for (let k = 0; k < depth; k++) {
        store<f32>(at, i < valid ? load<f32>(from) : 0);
        from += along;
        at += step;
      }
    }
    return;
  }
  if (transposed) {
    const fifth = height == MR;
    for (let k = 0; k < depth; k++) {
      v128.store(to, v128.load(a));
      if (fifth) store<f32>(to, load<f32>(a, 16), 16);
      a += stride;
      to += step;
    }
    return;
  }
  packRows(to, step, a, stride, depth);
  if (height == MR) {
    let from = a + 4 * stride;
    let at = to + 16;
    for (let k = 0; k < depth; k++) {
      store<f32>(at, load<f32>(from));
      from += 4;
      at += step;
    }
  }
}

/** Four rows of numbers that lie along k, as [k][4] with `step` bytes from k to k: 4 x 4 transpositions. */
function packRows(to: usize, step: usize, from: usize, stride: usize, depth: i32): void {
  let r0 = from;
  let r1 = r0 + stride;
  let r2 = r1 + stride;
  let r3 = r2 + stride;
  let k = 0;
  for (; k + 4 <= depth; k += 4) {
    const a = v128.load(r0);
    const b = v128.load(r1);
    const c = v128.load(r2);
    const d = v128.load(r3);
    const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
    const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
    const abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
    const cdHigh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<i64>(ab, cd, 0, 2));
    v128.store(to + step, v128.shuffle<i64>(ab, cd, 1, 3));
    v128.store(to + 2 * step, v128.shuffle<i64>(abHigh, cdHigh, 0, 2));
    v128.store(to + 3 * step, v128.shuffle<i64>(abHigh, cdHigh, 1, 3));
    to += 4 * step;
    r0 += 16;
    r1 += 16;
    r2 += 16;
    r3 += 16;
  }
  for (; k < depth; k++) {
    store<f32>(to, load<f32>(r0));
    store<f32>(to, load<f32>(r1), 4);
    store<f32>(to, load<f32>(r2), 8);
    store<f32>(to, load<f32>(r3), 12);
    to += step;
    r0 += 4;
    r1 += 4;
    r2 += 4;
    r3 += 4;
  }
}

/** Bytes from panel to panel of op(b): not a power of 2, or lines of all panels would share one set of the cache. */
// @ts-expect-error: decorator
@inline
function panelBytes(depth: i32): usize {
  return words(NR * depth + 16);
}

/**
 * Copies k [0, depth) and columns [0, count) of op(b), which begins at element `first` of b, as panels [k][8]; columns beyond are zeros.
 * steps: 0, or those of a b in 8 bits.
 */
function packB(
  to: usize,
  base: usize,
  first: i32,
  ldb: i32,
  transposed: bool,
  count: i32,
  depth: i32,
  steps: usize,
  group: i32,
): void {
  const stride = words(ldb);
  const panel = panelBytes(depth);
  if (steps) {
    packBytes(to, panel, base, first, ldb, transposed, count, depth, steps, group);
    return;
  }
  const b = base + words(first);
  const whole = count & ~(NR - 1);
  let n = 0;
  if (transposed) {
    for (; n < whole; n += NR) {
      const from = b + <usize>n * stride;
      packRows(to, 32, from, stride, depth);
      packRows(to + 16, 32, from + 4 * stride, stride, depth);
      to += panel;
    }
  } else {
    // Along the rows of b, as the processor fetches ahead.
    for (let k = 0; k < depth; k++) {
      let from = b + <usize>k * stride;
      let at = to + <usize>k * 32;
      for (n = 0; n < whole; n += NR) {
        v128.store(at, v128.load(from));
        v128.store(at, v128.load(from, 16), 16);
        from += 32;
        at += panel;
      }
    }
    n = whole;
    to += panel * <usize>(whole / NR);
  }
  const left = count - n;
  if (left == 0) return;
  for (let j = 0; j < NR; j++) {
    let from = b + (transposed ? <usize>(n + j) * stride : words(n + j));
    const along: usize = transposed ? 4 : stride;
    let at = to + words(j);
    for (let k = 0; k < depth; k++) {
      store<f32>(at, j < left ? load<f32>(from) : 0);
      from += along;
      at += 32;
    }
  }
}

/**
 * 5 rows of c = panel a . panel b. One k a turn, and nothing but stores behind the loop: with more, V8 moves all loads in front of
 * the products and spills sums to memory, which takes three times as long. For the same reason the
 * tiles are exported: Binaryen puts what has one caller into it.
 */
export function tile5(depth: i32, a: usize, b: usize, c: usize, ldc: usize): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  let c40 = c00;
  let c41 = c00;
  const end = a + <usize>depth * 20;
  while (a < end) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = f32x4.add(c00, f32x4.mul(x, b0));
    c01 = f32x4.add(c01, f32x4.mul(x, b1));
    x = v128.load32_splat(a, 4);
    c10 = f32x4.add(c10, f32x4.mul(x, b0));
    c11 = f32x4.add(c11, f32x4.mul(x, b1));
    x = v128.load32_splat(a, 8);
    c20 = f32x4.add(c20, f32x4.mul(x, b0));
    c21 = f32x4.add(c21, f32x4.mul(x, b1));
    x = v128.load32_splat(a, 12);
    c30 = f32x4.add(c30, f32x4.mul(x, b0));
    c31 = f32x4.add(c31, f32x4.mul(x, b1));
    x = v128.load32_splat(a, 16);
    c40 = f32x4.add(c40, f32x4.mul(x, b0));
    c41 = f32x4.add(c41, f32x4.mul(x, b1));
    a += 20;
    b += 32;
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  c += ldc;
  v128.store(c, c10);
  v128.store(c, c11, 16);
  c += ldc;
  v128.store(c, c20);
  v128.store(c, c21, 16);
  c += ldc;
  v128.store(c, c30);
  v128.store(c, c31, 16);
  c += ldc;
  v128.store(c, c40);
  v128.store(c, c41, 16);
}

/** The same for 4 rows. */
export function tile4(depth: i32, a: usize, b: usize, c: usize, ldc: usize): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  const end = a + (<usize>depth << 4);
  while (a < end) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = f32x4.add(c00, f32x4.mul(x, b0));
    c01 = f32x4.add(c01, f32x4.mul(x, b1));
    x = v128.load32_splat(a, 4);
    c10 = f32x4.add(c10, f32x4.mul(x, b0));
    c11 = f32x4.add(c11, f32x4.mul(x, b1));
    x = v128.load32_splat(a, 8);
    c20 = f32x4.add(c20, f32x4.mul(x, b0));
    c21 = f32x4.add(c21, f32x4.mul(x, b1));
    x = v128.load32_splat(a, 12);
    c30 = f32x4.add(c30, f32x4.mul(x, b0));
    c31 = f32x4.add(c31, f32x4.mul(x, b1));
    a += 16;
    b += 32;
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  c += ldc;
  v128.store(c, c10);
  v128.store(c, c11, 16);
  c += ldc;
  v128.store(c, c20);
  v128.store(c, c21, 16);
  c += ldc;
  v128.store(c, c30);
  v128.store(c, c31, 16);
}

/** c = sums + prior + bias of one tile; prior and bias may be absent (0). */
function merge(sums: usize, rows: i32, columns: i32, c: usize, ldc: usize, prior: usize, ldPrior: usize, bias: usize): void {
  for (let r = 0; r < rows; r++) {
    if (columns == NR) {
      let s0 = v128.load(sums);
      let s1 = v128.load(sums, 16);
      if (prior) {
        s0 = f32x4.add(s0, v128.load(prior));
        s1 = f32x4.add(s1, v128.load(prior, 16));
      }
      if (bias) {
        s0 = f32x4.add(s0, v128.load(bias));
        s1 = f32x4.add(s1, v128.load(bias, 16));
      }
      v128.store(c, s0);
      v128.store(c, s1, 16);
    } else {
      for (let s = 0; s < columns; s++) {
        let sum = load<f32>(sums + words(s));
        if (prior) sum += load<f32>(prior + words(s));
        if (bias) sum += load<f32>(bias + words(s));
        store<f32>(c + words(s), sum);
      }
    }
    sums += 32;
    c += ldc;
    if (prior) prior += ldPrior;
  }
}

/** Rows of the next tile: 5 and 4 together make any number from 12 on, so that hardly a row is computed for nothing. */
// @ts-expect-error: decorator
@inline
function heightOf(left: i32): i32 {
  return left % MR == 0 ? MR : 4;
}

/** Bytes of scratch that `product` wants for blocks of so many rows and columns. */
// @ts-expect-error: decorator
@inline
export function scratchOf(rows: i32, columns: i32): usize {
  return words(KC * (rows + 8 + columns + NR) + 2 * (columns + NR) + MR * NR);
}

/** Copies a block of m rows of op(a) and k [0, depth) as tiles. */
function packBlockA(to: usize, a: usize, lda: i32, transposed: bool, m: i32, depth: i32): void {
  for (let i = 0; i < m; ) {
    const height = heightOf(m - i);
    packA(to, a + (transposed ? words(i) : <usize>i * words(lda)), lda, transposed, least(height, m - i), height, depth);
    to += words(height * depth);
    i += height;
  }
}

/** c[m, n] = before + panels a . panels b + bias, for one stretch of k; `before` and `bias` may be absent (0). */
function sweep(
  m: i32,
  n: i32,
  depth: i32,
  panelsA: usize,
  panelsB: usize,
  c: usize,
  strideC: usize,
  before: usize,
  ldBefore: usize,
  bias: usize,
  edge: usize,
): void {
  for (let j = 0; j < n; j += NR) {
    let at = panelsA;
    const columns = least(NR, n - j);
    for (let i = 0; i < m; ) {
      const height = heightOf(m - i);
      const rows = least(height, m - i);
      const to = c + <usize>i * strideC + words(j);
      const old = before ? before + <usize>i * ldBefore + words(j) : 0;
      const add = bias ? bias + words(j) : 0;
      const apart = columns < NR || rows < height || old != 0 || add != 0;
      const sums = apart ? edge : to;
      const stride = apart ? <usize>32 : strideC;
      if (height == MR) tile5(depth, at, panelsB, sums, stride);
      else tile4(depth, at, panelsB, sums, stride);
      if (apart) merge(edge, rows, columns, to, strideC, old, ldBefore, add);
      at += words(height * depth);
      i += height;
    }
    panelsB += panelBytes(depth);
  }
}

/**
 * c[m, n] = op(a) op(b) + prior + bias, one thread's. Leading dimensions are in elements; `prior` (0: nothing) may be c
 * itself; bias (0: nothing) has a number for each column.
 */
export function product(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  lda: i32,
  transposeA: bool,
  b: usize,
  ldb: i32,
  transposeB: bool,
  c: usize,
  ldc: i32,
  prior: usize,
  ldPrior: i32,
  bias: usize,
  scratch: usize,
): void {
  blocks(m, n, k, a, lda, transposeA, b, 0, ldb, transposeB, 0, 0, c, ldc, prior, ldPrior, bias, scratch, 0, 0, 0, 0);
}

/**
 * `product`, of which tiles of a and panels of b may have been copied before: `readyA` those of this block, `readyB` those of the whole
 * of b, of which this block begins at `firstPanel`, `stepB` bytes from one stretch of k to the next. 0: they are copied here, from element
 * `firstB` of b on; steps are those of a b in 8 bits.
 */
function blocks(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  lda: i32,
  transposeA: bool,
  b: usize,
  firstB: i32,
  ldb: i32,
  transposeB: bool,
  steps: usize,
  group: i32,
  c: usize,
  ldc: i32,
  prior: usize,
  ldPrior: i32,
  bias: usize,
  scratch: usize,
  readyA: usize,
  readyB: usize,
  stepB: usize,
  firstPanel: i32,
): void {
  if (m == 0 || n == 0) return;
  const edge = scratch;
  const ownB = edge + words(MR * NR);
  const ownA = readyB ? ownB : ownB + words((KC + 2) * (n + NR));
  const strideC = words(ldc);
  let panelsA = readyA;
  let panelsB = readyB;
  let from = 0;
  do {
    const depth = least(KC, k - from);
    if (!readyB) {
      panelsB = ownB;
      packB(panelsB, b, firstB + (transposeB ? from : from * ldb), ldb, transposeB, n, depth, steps, group);
    }
    if (!readyA) {
      panelsA = ownA;
      packBlockA(panelsA, a + (transposeA ? <usize>from * words(lda) : words(from)), lda, transposeA, m, depth);
    }
    const first = from == 0;
    sweep(
      m,
      n,
      depth,
      panelsA,
      // The panels of a last, shorter stretch lie closer together.
      panelsB + <usize>firstPanel * panelBytes(depth),
      c,
      strideC,
      first ? prior : c,
      first ? words(ldPrior) : strideC,
      first ? bias : 0,
      edge,
    );
    if (readyA) panelsA += words(paddedRows(m) * depth);
    if (readyB) panelsB += stepB;
    from += depth;
  } while (from < k);
}

/** Rows of the tiles of a block of m rows. */
function paddedRows(m: i32): i32 {
  let rows = 0;
  while (rows < m) rows += heightOf(m - rows);
  return rows;
}

/** Bytes from a stretch of k to the next one in the panels of a whole op(b). */
// @ts-expect-error: decorator
@inline
function stretchBytes(n: i32): usize {
  return <usize>((n + NR - 1) / NR) * panelBytes(KC);
}

/** Bytes of the tiles of a whole op(a) that a block of `rows` rows has. */
// @ts-expect-error: decorator
@inline
function blockBytes(rows: i32, k: i32): usize {
  return words(rows + 8) * <usize>k;
}

/**
 * args: as `matmul`, which runs after it. Copies op(a) as tiles, if packedA is there, a piece a block of rows and a stretch of k;
 * and op(b) as panels, if packedB is there, a piece a stretch of k and PACKED_COLUMNS columns.
 */
export function matmulPack(args: usize, piece: i32, _scratch: usize): void {
  const M = intAt(args, 0);
  const N = intAt(args, 1);
  const K = intAt(args, 2);
  const stretches = (K + KC - 1) / KC;
  const from = (piece % stretches) * KC;
  const depth = least(KC, K - from);
  let block = piece / stretches;
  const packedA = addressAt(args, 14);
  const packedB = addressAt(args, 15);
  if (packedA) {
    const rows = intAt(args, 5);
    const down = (M + rows - 1) / rows;
    if (block < down) {
      const transposed = intAt(args, 3) != 0;
      const lda = transposed ? M : K;
      const i = block * rows;
      const m = least(rows, M - i);
      const to = packedA + blockBytes(rows, K) * <usize>block + words(paddedRows(m)) * <usize>from;
      const at = transposed ? <usize>from * words(lda) + words(i) : <usize>i * words(lda) + words(from);
      packBlockA(to, addressAt(args, 8) + at, lda, transposed, m, depth);
      return;
    }
    block -= down;
  }
  const transposed = intAt(args, 4) != 0;
  const ldb = transposed ? K : N;
  const j = block * PACKED_COLUMNS;
  const to = packedB + stretchBytes(N) * <usize>(from / KC) + <usize>(j / NR) * panelBytes(depth);
  const at = transposed ? from + j * ldb : from * ldb + j;
  const count = least(PACKED_COLUMNS, N - j);
  packB(to, addressAt(args, 9), at, ldb, transposed, count, depth, addressAt(args, 16), intAt(args, 17));
}

/** A row of GELUs in place. exact: with erf. */
function activate(at: usize, count: i32, exact: bool): void {
  let n = 0;
  for (; n + 4 <= count; n += 4) {
    const x = v128.load(at);
    v128.store(at, exact ? geluErf(x) : geluTanh(x));
    at += 16;
  }
  if (n < count) {
    const x = loadTail(at, count - n, 0);
    storeTail(at, count - n, exact ? geluErf(x) : geluTanh(x));
  }
}

/**
 * args: M N K transposeA transposeB rows columns across | a b y prior bias activation packedA packedB steps group. A piece is a block of
 * `rows` x `columns`.
 */
export function matmul(args: usize, piece: i32, scratch: usize): void {
  const M = intAt(args, 0);
  const N = intAt(args, 1);
  const K = intAt(args, 2);
  const transposeA = intAt(args, 3) != 0;
  const transposeB = intAt(args, 4) != 0;
  const across = intAt(args, 7);
  const i = (piece / across) * intAt(args, 5);
  const j = (piece % across) * intAt(args, 6);
  const rows = least(intAt(args, 5), M - i);
  const columns = least(intAt(args, 6), N - j);
  const prior = addressAt(args, 11);
  const bias = addressAt(args, 12);
  const activation = intAt(args, 13);
  const y = addressAt(args, 10) + words(N) * <usize>i + words(j);
  const packedA = addressAt(args, 14);
  const packedB = addressAt(args, 15);
  blocks(
    rows,
    columns,
    K,
    addressAt(args, 8) + (transposeA ? words(i) : words(K) * <usize>i),
    transposeA ? M : K,
    transposeA,
    addressAt(args, 9),
    transposeB ? K * j : j,
    transposeB ? K : N,
    transposeB,
    addressAt(args, 16),
    intAt(args, 17),
    y,
    N,
    prior ? prior + words(N) * <usize>i + words(j) : 0,
    N,
    bias ? bias + words(j) : 0,
    scratch,
    packedA ? packedA + blockBytes(intAt(args, 5), K) * <usize>(piece / across) : 0,
    packedB,
    stretchBytes(N),
    packedB ? j / NR : 0,
  );
  if (activation != 0) {
    for (let r = 0; r < rows; r++) activate(y + words(N) * <usize>r, columns, activation == 2);
  }
}

/** Of a product with few rows: b is read where it lies, for all of them while it is in the cache. */
// @ts-expect-error: decorator
@inline
export function finish(args: usize, m: i32, n: i32, sum: f32): void {
  const N = intAt(args, 1);
  const at = words(N) * <usize>m + words(n);
  const prior = addressAt(args, 11);
  const bias = addressAt(args, 12);
  if (prior) sum += load<f32>(prior + at);
  if (bias) sum += load<f32>(bias + words(n));
  store<f32>(addressAt(args, 10) + at, sum);
}

/** y += the products of 8 neighbours of a row of a with 8 rows of b, over `columns` columns, a multiple of 8. */
export function rows8(x: usize, b: usize, stride: usize, columns: i32, y: usize): void {
  const x0 = v128.load32_splat(x);
  const x1 = v128.load32_splat(x, 4);
  const x2 = v128.load32_splat(x, 8);
  const x3 = v128.load32_splat(x, 12);
  const x4 = v128.load32_splat(x, 16);
  const x5 = v128.load32_splat(x, 20);
  const x6 = v128.load32_splat(x, 24);
  const x7 = v128.load32_splat(x, 28);
  const b4 = b + (stride << 2);
  const stride3 = 3 * stride;
  const end = words(columns);
  for (let i: usize = 0; i < end; i += 32) {
    let at = b + i;
    let s = v128.load(y + i);
    let t = v128.load(y + i, 16);
    s = f32x4.add(s, f32x4.mul(x0, v128.load(at)));
    t = f32x4.add(t, f32x4.mul(x0, v128.load(at, 16)));
    s = f32x4.add(s, f32x4.mul(x1, v128.load(at + stride)));
    t = f32x4.add(t, f32x4.mul(x1, v128.load(at + stride, 16)));
    s = f32x4.add(s, f32x4.mul(x2, v128.load(at + 2 * stride)));
    t = f32x4.add(t, f32x4.mul(x2, v128.load(at + 2 * stride, 16)));
    s = f32x4.add(s, f32x4.mul(x3, v128.load(at + stride3)));
    t = f32x4.add(t, f32x4.mul(x3, v128.load(at + stride3, 16)));
    at = b4 + i;
    s = f32x4.add(s, f32x4.mul(x4, v128.load(at)));
    t = f32x4.add(t, f32x4.mul(x4, v128.load(at, 16)));
    s = f32x4.add(s, f32x4.mul(x5, v128.load(at + stride)));
    t = f32x4.add(t, f32x4.mul(x5, v128.load(at + stride, 16)));
    s = f32x4.add(s, f32x4.mul(x6, v128.load(at + 2 * stride)));
    t = f32x4.add(t, f32x4.mul(x6, v128.load(at + 2 * stride, 16)));
    s = f32x4.add(s, f32x4.mul(x7, v128.load(at + stride3)));
    t = f32x4.add(t, f32x4.mul(x7, v128.load(at + stride3, 16)));
    v128.store(y + i, s);
    v128.store(y + i, t, 16);
  }
}

/** The same of one element of a, and its row of b. */
function row1(x: usize, b: usize, columns: i32, y: usize): void {
  const v = v128.load32_splat(x);
  const end = words(columns);
  for (let i: usize = 0; i < end; i += 16) {
    v128.store(y + i, f32x4.add(v128.load(y + i), f32x4.mul(v, v128.load(b + i))));
  }
}

/** The products of one row of a with four rows of b, along k. */
export function dots4(x: usize, b: usize, stride: usize, k: i32, to: usize): void {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let b1 = b + stride;
  let b2 = b1 + stride;
  let b3 = b2 + stride;
  const end = x + words(k & ~3);
  while (x < end) {
    const v = v128.load(x);
    s0 = f32x4.add(s0, f32x4.mul(v, v128.load(b)));
    s1 = f32x4.add(s1, f32x4.mul(v, v128.load(b1)));
    s2 = f32x4.add(s2, f32x4.mul(v, v128.load(b2)));
    s3 = f32x4.add(s3, f32x4.mul(v, v128.load(b3)));
    x += 16;
    b += 16;
    b1 += 16;
    b2 += 16;
    b3 += 16;
  }
  if (k & 3) {
    const v = loadTail(x, k & 3, 0);
    s0 = f32x4.add(s0, f32x4.mul(v, loadTail(b, k & 3, 0)));
    s1 = f32x4.add(s1, f32x4.mul(v, loadTail(b1, k & 3, 0)));
    s2 = f32x4.add(s2, f32x4.mul(v, loadTail(b2, k & 3, 0)));
    s3 = f32x4.add(s3, f32x4.mul(v, loadTail(b3, k & 3, 0)));
  }
  v128.store(to, sums4(s0, s1, s2, s3));
}

/** The sums of s's four vectors, in lanes. */
// @ts-expect-error: decorator
@inline
export function sums4(s0: v128, s1: v128, s2: v128, s3: v128): v128 {
  const even = f32x4.add(v128.shuffle<i32>(s0, s1, 0, 4, 1, 5), v128.shuffle<i32>(s0, s1, 2, 6, 3, 7));
  const odd = f32x4.add(v128.shuffle<i32>(s2, s3, 0, 4, 1, 5), v128.shuffle<i32>(s2, s3, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<i64>(even, odd, 0, 2), v128.shuffle<i64>(even, odd, 1, 3));
}

/** `dots4` of two rows of a, `strideX` bytes apart, for K a multiple of 4: each load of b serves both. */
export function dots24(x: usize, strideX: usize, b: usize, stride: usize, k: i32, to: usize): void {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let t0 = s0;
  let t1 = s0;
  let t2 = s0;
  let t3 = s0;
  const b1 = b + stride;
  const b2 = b1 + stride;
  const b3 = b2 + stride;
  const z = x + strideX;
  const end = words(k);
  for (let i: usize = 0; i < end; i += 16) {
    const v = v128.load(x + i);
    const w = v128.load(z + i);
    let c = v128.load(b + i);
    s0 = f32x4.add(s0, f32x4.mul(v, c));
    t0 = f32x4.add(t0, f32x4.mul(w, c));
    c = v128.load(b1 + i);
    s1 = f32x4.add(s1, f32x4.mul(v, c));
    t1 = f32x4.add(t1, f32x4.mul(w, c));
    c = v128.load(b2 + i);
    s2 = f32x4.add(s2, f32x4.mul(v, c));
    t2 = f32x4.add(t2, f32x4.mul(w, c));
    c = v128.load(b3 + i);
    s3 = f32x4.add(s3, f32x4.mul(v, c));
    t3 = f32x4.add(t3, f32x4.mul(w, c));
  }
  v128.store(to, s0);
  v128.store(to, s1, 16);
  v128.store(to, s2, 32);
  v128.store(to, s3, 48);
  v128.store(to, t0, 64);
  v128.store(to, t1, 80);
  v128.store(to, t2, 96);
  v128.store(to, t3, 112);
}

/** args as `matmul`, a as it is, M small. A piece is all rows of `columns` columns. */
export function matmulFewRows(args: usize, piece: i32, scratch: usize): void {
  const M = intAt(args, 0);
  const N = intAt(args, 1);
  const K = intAt(args, 2);
  const transposeB = intAt(args, 4) != 0;
  const first = piece * intAt(args, 6);
  const last = least(N, first + intAt(args, 6));
  const a = addressAt(args, 8);
  const b = addressAt(args, 9);
  let n = first;
  if (transposeB) {
    const stride = words(K);
    for (; n < last; n += 4) {
      const count = least(4, last - n);
      // The last columns again where there are less than four.
      const from = n + 4 <= N ? n : N - 4;
      if (from < 0) break;
      let m = 0;
      if ((K & 3) == 0) {
        for (; m + 2 <= M; m += 2) {
          dots24(a + stride * <usize>m, stride, b + stride * <usize>from, stride, K, scratch);
          for (let half = 0; half < 2; half++) {
            const at = scratch + <usize>(half << 6);
            v128.store(at, sums4(v128.load(at), v128.load(at, 16), v128.load(at, 32), v128.load(at, 48)));
            for (let j = 0; j < count; j++) finish(args, m + half, n + j, load<f32>(at + words(n + j - from)));
          }
        }
      }
      for (; m < M; m++) {
        dots4(a + stride * <usize>m, b + stride * <usize>from, stride, K, scratch);
        for (let j = 0; j < count; j++) finish(args, m, n + j, load<f32>(scratch + words(n + j - from)));
      }
    }
  } else {
    // Eight rows of b side by side, as far as the columns of this piece go: memory gives what lies in order faster.
    const columns = (last - first) & ~7;
    memory.fill(scratch, 0, words(M * columns));
    for (let k = 0; k < K; k++) {
      const eight = k + 8 <= K;
      const from = b + words(N) * <usize>k + words(first);
      for (let m = 0; m < M; m++) {
        const x = a + words(K * m + k);
        const y = scratch + words(columns * m);
        if (eight) rows8(x, from, words(N), columns, y);
        else row1(x, from, columns, y);
      }
      if (eight) k += 7;
    }
    for (let m = 0; m < M; m++)
      for (let j = 0; j < columns; j++) finish(args, m, first + j, load<f32>(scratch + words(columns * m + j)));
    n += columns;
  }
  for (; n < last; n++) {
    for (let m = 0; m < M; m++) {
      let sum: f32 = 0;
      for (let k = 0; k < K; k++) {
        const at = transposeB ? words(K) * <usize>n + words(k) : words(N) * <usize>k + words(n);
        sum += load<f32>(a + words(K) * <usize>m + words(k)) * load<f32>(b + at);
      }
      finish(args, m, n, sum);
    }
  }
  activateRows(args, M, first, last);
}

/** Columns [first, last) of all rows of y. */
export function activateRows(args: usize, M: i32, first: i32, last: i32): void {
  const activation = intAt(args, 13);
  if (activation == 0) return;
  const y = addressAt(args, 10) + words(first);
  for (let m = 0; m < M; m++) activate(y + words(intAt(args, 1)) * <usize>m, last - first, activation == 2);
}
