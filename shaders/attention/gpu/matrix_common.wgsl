// What attention on matrix units shares: a subgroup multiplies matrices of 16 x 16 of f16 as one operation, summed in f32. It holds 16
// rows of a head (a unit; keys, in the gradient of keys), UNITS of them make a workgroup, which goes through the other side TILE
// rows at a time: STEPS matrices. Matrices are opaque, so scores pass through workgroup memory: there four invocations take
// two of a unit's rows, each every fourth column. Where T ends within 16 rows, the last matrix begins at T - 16: its first rows are
// in the one before, too, and count only there. T is at least 16, D a multiple of 16 up to 128. Names in capitals that are not
// here are the dispatch's, or common.wgsl's.
alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;

// common.wgsl's: a workgroup has twice as many invocations as rows
const LANES = 2u;
const SIDE = 16u;
const BLOCKS = D / SIDE;
const STEPS = TILE / SIDE;
// so often all of a workgroup draw for a tile
const DRAWS = UNITS * TILE * 2u / WORKGROUP;
// From row to row in workgroup memory: eight rows of four neighbours lie in 32 banks, and rows begin at multiples of 16 bytes.
const PITCH = 20u;
const HALF_PITCH = 24u;
// and from matrix to matrix of what streams by, so that four beside each other lie in 32 banks, too
const STAGED_CELLS = SIDE * HALF_PITCH + SIDE;

// An array a matrix, so that compilers see how it is aligned: a place in one large array is checked against its end.
var<workgroup> scores: array<array<f32, SIDE * PITCH>, UNITS * STEPS>;
// Of what streams by, two tensors and two tiles each, the one that is used and the next; one matrix where nothing is staged.
var<workgroup> staged: array<array<f16, STAGED_CELLS>, MATRICES_STAGED>;
// which of 16 keys a row keeps
var<workgroup> drawn: array<u32, UNITS * TILE>;
// what is multiplied next, in f16: probabilities, or ds
var<workgroup> halves: array<array<f16, SIDE * HALF_PITCH>, UNITS * STEPS>;
// of the rows of the units
var<workgroup> factors: array<f32, UNITS * SIDE>;

// The rows of a workgroup, those of blocks that have most to do first, whichever head they are of.
fn matrix_place(number: u32, last_first: bool) -> Place {
  let together = UNITS * SIDE;
  let blocks = (u.T + together - 1u) / together;
  let heads = u.B * u.H;
  let nth = number / heads;
  let block = select(nth, blocks - 1u - min(nth, blocks - 1u), last_first);
  let first = select(u.T, block * together, nth < blocks);
  let head = number % heads;
  return Place(u.B0 + head / u.H, head % u.H, first, first + together);
}

// Where 16 rows begin that shall begin at `row`.
fn within(row: u32) -> u32 {
  return min(row, u.T - SIDE);
}

// Of the places of a tile in `staged`: tensor 0 or 1, in turn 0 or 1, matrix n of the rows and b of the columns.
fn staged_at(turn: u32, tensor: u32, n: u32, b: u32) -> u32 {
  return ((turn * 2u + tensor) * STEPS + n) * BLOCKS + b;
}

// Whether a row keeps keys 8 oct + 0 .. 15, as the word-th of `drawn`: neighbours draw eight each.
fn draw(word: u32, row: u32, oct: u32, local: u32) {
  let own = kept_bits(row, oct + local % 2u) << (local % 2u * 8u);
  let pair = own | quadSwapX(own);
  if (local % 2u == 0u) { drawn[word] = pair; }
}

// which of its unit's rows an invocation takes; the other is 8 further
fn row_of(local: u32) -> u32 {
  return local % 32u / 4u;
}

// numbers of four columns of an invocation
fn columns_from(from_column: u32, local: u32) -> vec4u {
  return vec4u(from_column + local % 4u) + vec4u(0u, 4u, 8u, 12u);
}

fn score_4(matrix: u32, row: u32, lane: u32) -> vec4f {
  let at = row % SIDE * PITCH + lane % 4u;
  return vec4f(scores[matrix][at], scores[matrix][at + 4u], scores[matrix][at + 8u], scores[matrix][at + 12u]);
}

// x where the bits of columns counted from `first` are set, else 0
fn keep_columns(x: vec4f, bits: u32, columns: vec4u, first: u32) -> vec4f {
  if (!DROPS) { return x; }
  let at = (columns - vec4u(first)) & vec4u(15u);
  return vec4f(keep(x.x, bits, at.x), keep(x.y, bits, at.y), keep(x.z, bits, at.z), keep(x.w, bits, at.w));
}

// The same in all four invocations of a row: quads, as in lane_quad.wgsl.
fn row_sum(x: f32) -> f32 {
  let pair = x + quadSwapX(x);
  return pair + quadSwapY(pair);
}

fn row_maximum(x: f32) -> f32 {
  let pair = max(x, quadSwapX(x));
  return max(pair, quadSwapY(pair));
}

// 2^power / x to a power of two: what brings x to 2^power or a little more; finite for all x.
fn factor_for(x: f32, power: i32) -> f32 {
  let exponent = clamp(i32((bitcast<u32>(x) >> 23u) & 0xffu), 40, 240);
  return bitcast<f32>(u32(254 + power - exponent) << 23u);
}

fn put_half(matrix: u32, row: u32, local: u32, x: vec4<f16>) {
  let at = row % SIDE * HALF_PITCH + local % 4u;
  halves[matrix][at] = x.x;
  halves[matrix][at + 4u] = x.y;
  halves[matrix][at + 8u] = x.z;
  halves[matrix][at + 12u] = x.w;
}

fn half_at(matrix: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&halves[matrix], 0u, HALF_PITCH);
}

fn put_score(sum: Sum, matrix: u32) {
  subgroupMatrixStore<row_major>(&scores[matrix], 0u, sum, PITCH);
}

// Four neighbours of a sum that lies in a unit's first scores.
fn put_4(local: u32, row: u32) -> vec4f {
  let matrix = local / 32u * STEPS;
  let at = row * PITCH + local % 4u * 4u;
  return vec4f(scores[matrix][at], scores[matrix][at + 1u], scores[matrix][at + 2u], scores[matrix][at + 3u]);
}

