// y = finish(a . b), tiles of HIGH x WIDE invocations, each of which makes 4 BLOCKS x 8 of y; a and b pass through workgroup memory,
// DEPTH of K at a time, so that each element is loaded from memory once a workgroup. The next slab is asked for before this one is
// multiplied. With one slab in workgroup memory everybody waits before it is overwritten; with two BUFFERS nobody has to. What
// multiplies is written out, no loop, so that compilers see all of a slab at once. For GPUs. HIGH, WIDE, BLOCKS (2 or 4), DEPTH (8, 16
// or 32), BUFFERS (1 or 2), A_ALONG_K and B_ALONG_K are the dispatch's.

const GROUP = HIGH * WIDE;
const DEEP = DEPTH / 4u; // blocks of 4 along k
const SIDE_A = BLOCKS * HIGH; // and along the other side of a tile
const SIDE_B = 2u * WIDE;
const COUNT_A = SIDE_A * DEEP; // of all, no more than there are invocations
const COUNT_B = SIDE_B * DEEP;
const A_X = select(1u, DEEP, A_ALONG_K == 1u);
const A_Z = select(SIDE_A, 1u, A_ALONG_K == 1u);
const B_X = select(1u, DEEP, B_ALONG_K == 1u);
const B_Z = select(SIDE_B, 1u, B_ALONG_K == 1u);
// 8 vectors are all banks of workgroup memory: neighbours in what lies along k put theirs in 8 different ones.
const TURN_A = A_ALONG_K * 8u / DEEP;
const TURN_B = B_ALONG_K * 8u / DEEP;

// [k % 4][vector]: of the n-th blocks along k vector HIGH h + i along the side is at (BLOCKS n + h) HIGH + (i ^ (n TURN)), and behind
// those of the other buffer. Each index is a number that is constant where it is read, which becomes a part of the instruction, and one
// that `%` gives a range to within the function: compilers check no such index.
var<workgroup> staged_a: array<array<vec4f, COUNT_A * BUFFERS>, 4>;
var<workgroup> staged_b: array<array<vec4f, COUNT_B * BUFFERS>, 4>;

// yij: rows 4 (at + i HIGH), columns 4 (at + j WIDE) of the tile, of this invocation.
var<private> y00: mat4x4f;
var<private> y01: mat4x4f;
var<private> y10: mat4x4f;
var<private> y11: mat4x4f;
var<private> y20: mat4x4f;
var<private> y21: mat4x4f;
var<private> y30: mat4x4f;
var<private> y31: mat4x4f;

// Zero where k + i, of block[i], does not count.
fn counted(block: mat4x4f, k: u32, start: u32, end: u32) -> mat4x4f {
  let none = vec4f();
  let counts = counts_from(start, end, vec4u(k) + vec4u(0u, 1u, 2u, 3u));
  return mat4x4f(
    select(none, block[0], counts.x), select(none, block[1], counts.y), select(none, block[2], counts.z),
    select(none, block[3], counts.w));
}

fn a_at(buffer: u32, deep: u32, k: u32, half: u32, i: u32) -> vec4f {
  return staged_a[k][min(buffer, BUFFERS - 1u) * COUNT_A + (min(deep, DEEP - 1u) * BLOCKS + min(half, BLOCKS - 1u)) * HIGH
    + min(i ^ (deep * TURN_A), HIGH - 1u)];
}

fn b_at(buffer: u32, deep: u32, k: u32, half: u32, j: u32) -> vec4f {
  return staged_b[k][min(buffer, BUFFERS - 1u) * COUNT_B + (min(deep, DEEP - 1u) * 2u + min(half, 1u)) * WIDE
    + min(j ^ (deep * TURN_B), WIDE - 1u)];
}

// at: this invocation's first block of rows, and of columns.
fn multiply_one(buffer: u32, deep: u32, k: u32, at: vec2u) {
  let b0 = b_at(buffer, deep, k, 0u, at.y);
  let b1 = b_at(buffer, deep, k, 1u, at.y);
  let a0 = a_at(buffer, deep, k, 0u, at.x);
  y00 = add_outer(y00, a0, b0);
  y01 = add_outer(y01, a0, b1);
  let a1 = a_at(buffer, deep, k, 1u, at.x);
  y10 = add_outer(y10, a1, b0);
  y11 = add_outer(y11, a1, b1);
  if (BLOCKS == 4u) {
    let a2 = a_at(buffer, deep, k, 2u, at.x);
    y20 = add_outer(y20, a2, b0);
    y21 = add_outer(y21, a2, b1);
    let a3 = a_at(buffer, deep, k, 3u, at.x);
    y30 = add_outer(y30, a3, b0);
    y31 = add_outer(y31, a3, b1);
  }
}

// 4 of K.
fn multiply(buffer: u32, deep: u32, at: vec2u) {
  multiply_one(buffer, deep, 0u, at);
  multiply_one(buffer, deep, 1u, at);
  multiply_one(buffer, deep, 2u, at);
  multiply_one(buffer, deep, 3u, at);
}

@compute @workgroup_size(GROUP)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tile = tile_of(group, groups);
  let work = work_of(group.z);
  let row = tile.row * SIDE_A * 4u;
  let column = tile.column * SIDE_B * 4u;
  if (column >= u.COLUMNS) {
    return; // all of the workgroup
  }
  // Of 32 neighbours, 4 along the rows and 8 along the columns: few vectors serve them all. Neighbours share one of a or one of b in
  // turn, which NVIDIA's workgroup memory reads once.
  let at = vec2u(
    local / 32u % (HIGH / 4u) * 4u + local / 16u % 2u * 2u + local % 2u,
    local / (HIGH * 8u) * 8u + local / 2u % 8u);
  // Blocks of a tile that are fewer than the invocations are loaded twice, which takes no branch, and put by the first, or the last.
  let side_a = local / A_X % SIDE_A;
  let side_b = local / B_X % SIDE_B;
  let deep_a = local / A_Z % DEEP;
  let deep_b = local / B_Z % DEEP;
  let place_a0 = place_a(work.a, row + side_a * 4u, deep_a * 4u);
  let place_b0 = place_b(work.b, column + side_b * 4u, deep_b * 4u);
  let put_a = (deep_a * BLOCKS + side_a / HIGH) * HIGH + (side_a ^ (deep_a * TURN_A)) % HIGH;
  let put_b = (deep_b * 2u + side_b / WIDE) * WIDE + (side_b ^ (deep_b * TURN_B)) % WIDE;
  var next_a = transpose(fetch_a(place_a0, slab_at(work.k)));
  var next_b = fetch_b(place_b0, slab_at(work.k));
  var buffer = 0u;
  for (var start = work.k; start < work.end; start += DEPTH) {
    if (start + DEPTH > work.end) {
      next_a = counted(next_a, slab_at(start) + deep_a * 4u, start, work.end);
    }
    if (BUFFERS == 1u) {
      workgroupBarrier();
    }
    if (COUNT_A == GROUP || local < COUNT_A) {
      let i = buffer % BUFFERS * COUNT_A + put_a;
      staged_a[0][i] = next_a[0];
      staged_a[1][i] = next_a[1];
      staged_a[2][i] = next_a[2];
      staged_a[3][i] = next_a[3];
    }
    if (COUNT_B == GROUP || local >= GROUP - COUNT_B) {
      let j = buffer % BUFFERS * COUNT_B + put_b;
      staged_b[0][j] = next_b[0];
      staged_b[1][j] = next_b[1];
      staged_b[2][j] = next_b[2];
      staged_b[3][j] = next_b[3];
    }
    workgroupBarrier();
    next_a = transpose(fetch_a(place_a0, slab_at(start + DEPTH)));
    next_b = fetch_b(place_b0, slab_at(start + DEPTH));
    multiply(buffer, 0u, at);
    multiply(buffer, 1u, at);
    if (DEEP > 2u) {
      multiply(buffer, 2u, at);
      multiply(buffer, 3u, at);
    }
    if (DEEP > 4u) {
      multiply(buffer, 4u, at);
      multiply(buffer, 5u, at);
      multiply(buffer, 6u, at);
      multiply(buffer, 7u, at);
    }
    buffer = (buffer + 1u) & (BUFFERS - 1u);
  }
  let y_row = row + at.x * 4u;
  let y_column = column + at.y * 4u;
  store_block(y00, work.y, y_row, y_column);
  store_block(y01, work.y, y_row, y_column + WIDE * 4u);
  store_block(y10, work.y, y_row + HIGH * 4u, y_column);
  store_block(y11, work.y, y_row + HIGH * 4u, y_column + WIDE * 4u);
  if (BLOCKS == 4u) {
    store_block(y20, work.y, y_row + HIGH * 8u, y_column);
    store_block(y21, work.y, y_row + HIGH * 8u, y_column + WIDE * 4u);
    store_block(y30, work.y, y_row + HIGH * 12u, y_column);
    store_block(y31, work.y, y_row + HIGH * 12u, y_column + WIDE * 4u);
  }
}
