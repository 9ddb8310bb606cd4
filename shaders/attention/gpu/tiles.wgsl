// What the kernels of attention by tiles share: tile_forward.wgsl, tile_queries.wgsl, tile_keys.wgsl. A workgroup has OWN rows of a
// head, queries or keys, and goes through the others OTHER at a time. All that it multiplies lies in workgroup memory, by rows of
// HEAD_PACKS vec4s; scores and sums are blocks of 4 x 4 in registers. The invocations are DOWN rows of ACROSS: invocation (x, y) has own
// blocks y, y + DOWN .. and other blocks, or vec4s of columns, x, x + ACROSS ... What is not declared here, as OWN and WORKGROUP, is put before this file.
const LANES = 1u;

const OWN_BLOCKS = OWN / 4u;
const OTHER_BLOCKS = OTHER / 4u;
const DOWN = WORKGROUP / ACROSS;
const OWN_HELD = OWN_BLOCKS / DOWN;
const OTHER_HELD = OTHER_BLOCKS / ACROSS;
const COLUMNS_HELD = HEAD_PACKS / ACROSS;

// Neighbours read neighbouring blocks, whose rows lie a power of 2 apart. So that they fall in different banks, the vec4s of a row change
// places: their numbers are combined with the block's.
const TURNS = min(8u, HEAD_PACKS) - 1u;
const WEIGHT_TURNS = min(8u, OWN_BLOCKS) - 1u;

// A tile of own rows, of OWN_PAGES, then two of others, and of each a page, of PAGE vec4s, for 4 rows. Weights, 4 others a page and OWN to each, and what invocations
// tell each other take the place of a tile that is no longer needed: see WEIGHTS_AT. Places within a page are written so that compilers see
// how large they can be: else each is checked against the end.
const OWN_AT = 0u;
const FIRST_AT = OWN_PAGES;
const SECOND_AT = OWN_PAGES + OTHER_BLOCKS;

var<workgroup> tiles: array<array<vec4f, PAGE>, OWN_PAGES + 2u * OTHER_BLOCKS>;

// Own blocks by other blocks; a column is 4 own rows of one other.
alias Scores = array<mat4x4f, OWN_HELD * OTHER_HELD>;
// Own blocks by vec4s of columns; a column is one own row.
alias Sums = array<mat4x4f, OWN_HELD * COLUMNS_HELD>;
// A number for each own row.
alias Rows = array<vec4f, OWN_HELD>;

// The rows that a workgroup takes. Those with most work come first, so that no long one begins last: of queries the late ones, of keys
// the early ones.
fn tile_place(group: u32, late_first: bool) -> Place {
  let blocks = (u.T + OWN - 1u) / OWN;
  let heads = u.B * u.H;
  let head = group % heads;
  let number = group / heads;
  let first = select(u.T, select(number, blocks - 1u - number, late_first) * OWN, number < blocks);
  return Place(u.B0 + head / u.H, head % u.H, first, first + OWN);
}

// Of a tile an invocation loads a vec4 of every ROWS_LOADED-th row, AT_ONCE of them before it puts the first: so many loads are under way
// at the same time, without more registers than there are to spare.
const ROWS_LOADED = WORKGROUP / HEAD_PACKS;
const AT_ONCE = min(8u, min(OWN, OTHER) / ROWS_LOADED);
alias Loads = array<X, AT_ONCE>;

// The row that an invocation loads as its n-th, in a tile from row `first` on. There may be fewer.
fn row_loaded(n: u32, first: u32, local: u32) -> u32 {
  return min(first + local / HEAD_PACKS + n * ROWS_LOADED, u.T - 1u);
}

// Puts those from the n-th on. Rows that are padding count nothing, whatever they are.
fn put_loads(to: u32, loads: ptr<function, Loads>, n: u32, scale: f32, first: u32, length: u32, local: u32) {
  for (var l = 0u; l < AT_ONCE; l++) {
    let row = local / HEAD_PACKS + (n + l) * ROWS_LOADED;
    let d = ((local % HEAD_PACKS) ^ ((row / 4u) & TURNS)) % HEAD_PACKS;
    tiles[to + row / 4u][row % 4u * HEAD_PACKS + d] = select(Pack(), Pack((*loads)[l]) * scale, first + row < length);
  }
}

// Own rows times other rows.
fn dots(s: ptr<function, Scores>, other_from: u32, x: u32, y: u32) {
  *s = Scores();
  for (var d = 0u; d < HEAD_PACKS; d++) {
    let own_d = (d ^ (y & TURNS)) % HEAD_PACKS;
    let other_d = (d ^ (x & TURNS)) % HEAD_PACKS;
    var own: array<mat4x4f, OWN_HELD>;
    for (var b = 0u; b < OWN_HELD; b++) {
      let page = OWN_AT + y + b * DOWN;
      own[b] = transpose(mat4x4f(
        tiles[page][own_d], tiles[page][own_d + HEAD_PACKS], tiles[page][own_d + 2u * HEAD_PACKS], tiles[page][own_d + 3u * HEAD_PACKS]));
    }
    for (var t = 0u; t < OTHER_HELD; t++) {
      let page = other_from + x + t * ACROSS;
      for (var c = 0u; c < 4u; c++) {
        let other = tiles[page][other_d + c * HEAD_PACKS];
        for (var b = 0u; b < OWN_HELD; b++) {
          (*s)[b * OTHER_HELD + t][c] = (*s)[b * OTHER_HELD + t][c]
            + own[b][0] * other.x + own[b][1] * other.y + own[b][2] * other.z + own[b][3] * other.w;
        }
      }
    }
  }
}

fn put_weights(weights: ptr<function, Scores>, x: u32, y: u32) {
  for (var t = 0u; t < OTHER_HELD; t++) {
    let block = x + t * ACROSS;
    let at = (y ^ (block & WEIGHT_TURNS)) % DOWN;
    for (var b = 0u; b < OWN_HELD; b++) {
      for (var c = 0u; c < 4u; c++) {
        tiles[WEIGHTS_AT + block][at + c * OWN_BLOCKS + b * DOWN] = (*weights)[b * OTHER_HELD + t][c];
      }
    }
  }
}

// Adds the other rows, each times its weight, to the sums of own rows.
fn weigh(sums: ptr<function, Sums>, other_from: u32, x: u32, y: u32) {
  for (var block = 0u; block < OTHER_BLOCKS; block++) {
    let own_at = (y ^ (block & WEIGHT_TURNS)) % DOWN;
    let other_at = (x ^ (block & TURNS)) % ACROSS;
    for (var c = 0u; c < 4u; c++) {
      var weights: Rows;
      for (var b = 0u; b < OWN_HELD; b++) { weights[b] = tiles[WEIGHTS_AT + block][own_at + c * OWN_BLOCKS + b * DOWN]; }
      for (var t = 0u; t < COLUMNS_HELD; t++) {
        let other = tiles[other_from + block][other_at + c * HEAD_PACKS + t * ACROSS];
        for (var b = 0u; b < OWN_HELD; b++) {
          for (var r = 0u; r < 4u; r++) { (*sums)[b * COLUMNS_HELD + t][r] += weights[b][r] * other; }
        }
      }
    }
  }
}

// What the invocations that share own rows tell each other, where weights go: a number a row each.
fn put_part(part: vec4f, b: u32, x: u32, y: u32) {
  let n = (y + b * DOWN) * ACROSS + x;
  tiles[WEIGHTS_AT + n / PAGE][n % PAGE] = part;
}

fn part_of(b: u32, x: u32, y: u32) -> vec4f {
  let n = (y + b * DOWN) * ACROSS + x;
  return tiles[WEIGHTS_AT + n / PAGE][n % PAGE];
}

fn sum_of_parts(b: u32, y: u32) -> vec4f {
  var sum = vec4f();
  for (var x = 0u; x < ACROSS; x++) { sum += part_of(b, x, y); }
  return sum;
}

// behind the parts
const DRAWN = OWN_BLOCKS * ACROSS;

// Draws dropout for QUERY_BLOCKS blocks of queries from row `first_row` of [B, H, T] on, and the tile's keys from 8 oct on.
fn draw_tile(first_row: u32, oct: u32, local: u32) {
  for (var n = local; n < QUERY_BLOCKS * KEY_BLOCKS / 2u; n += WORKGROUP) {
    let row = first_row + n % QUERY_BLOCKS * 4u;
    let eight = oct + n / QUERY_BLOCKS;
    let bits = vec4u(kept_bits(row, eight), kept_bits(row + 1u, eight), kept_bits(row + 2u, eight), kept_bits(row + 3u, eight));
    // in floats that are neither subnormal nor NaN, which need not stay what they are
    tiles[WEIGHTS_AT + (DRAWN + n) / PAGE][(DRAWN + n) % PAGE] = bitcast<vec4f>(bits | vec4u(0x3f800000u));
  }
}

// Of each of 4 queries: bit j is whether it keeps the block's key j.
fn drawn_for(query_block: u32, key_block: u32) -> vec4u {
  let n = DRAWN + key_block / 2u * QUERY_BLOCKS + query_block;
  return bitcast<vec4u>(tiles[WEIGHTS_AT + n / PAGE][n % PAGE]) >> vec4u(key_block % 2u * 4u);
}

// Each element where bit `at` of its own bits is set, else 0.
fn keep_rows(x: vec4f, bits: vec4u, at: u32) -> vec4f {
  if (!DROPS) { return x; }
  return bitcast<vec4f>(bitcast<vec4i>(x) & extractBits(bitcast<vec4i>(bits), at, 1u));
}

