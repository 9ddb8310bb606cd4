// y = finish(a . b) as staged.wgsl has it, for GPUs whose invocations have few registers (GCN: 64 for each of four subgroups): each makes
// 4 x 8 of y, and asks for the next slab not in blocks but in lines of 4, as many as are its share. A turn of the loop asks for them,
// multiplies and puts them away: what a loop carries over from turn to turn as vectors AMD's compiler copies. What is left of K behind
// its last whole slab is multiplied one k after the other. HIGH, WIDE, DEPTH (8 or 16), A_ALONG_K and B_ALONG_K are the dispatch's.

const GROUP = HIGH * WIDE;
const DEEP = DEPTH / 4u; // vectors of 4 along k
const SIDE_A = HIGH; // and along the other side of a tile
const SIDE_B = 2u * WIDE;
const SHARE_A = SIDE_A * DEPTH / GROUP; // lines of an invocation
const SHARE_B = SIDE_B * DEPTH / GROUP;
// 8 vectors are all banks of workgroup memory: neighbours in what lies along k put theirs in different ones.
const GAP = 8u / DEEP;
const PITCH_A = SIDE_A + GAP;
const PITCH_B = SIDE_B + GAP;

// Vector i along the side of the n-th four of k is at 4 (PITCH n + i), and behind all of those the same of the next k. Of where it is read
// all but one number is constant, which `min` gives a range to: it becomes a part of the instruction.
const STEP_A = 4u * PITCH_A * DEEP;
const STEP_B = 4u * PITCH_B * DEEP;
// from one element of a line to the next, and where the first of the last line is at most
const NEXT_A = select(1u, STEP_A, A_ALONG_K == 1u);
const NEXT_B = select(1u, STEP_B, B_ALONG_K == 1u);
const UNIT_A = select(4u, 1u, A_ALONG_K == 1u);
const LAST_A = (4u * STEP_A - 1u - 3u * NEXT_A) / UNIT_A;
const UNIT_B = select(4u, 1u, B_ALONG_K == 1u);
const LAST_B = (4u * STEP_B - 1u - 3u * NEXT_B) / UNIT_B;
var<workgroup> staged_a: array<f32, 4u * STEP_A>;
var<workgroup> staged_b: array<f32, 4u * STEP_B>;

// of this invocation, rows 4 at, columns 4 at and 4 (at + WIDE) of the tile
var<private> y0: mat4x4f;
var<private> y1: mat4x4f;

fn a_at(deep: u32, k: u32, i: u32) -> vec4f {
  let at = min(k, 3u) * STEP_A + min(deep, DEEP - 1u) * 4u * PITCH_A + min(i, SIDE_A - 1u) * 4u;
  return vec4f(staged_a[at], staged_a[at + 1u], staged_a[at + 2u], staged_a[at + 3u]);
}

fn b_at(deep: u32, k: u32, half: u32, j: u32) -> vec4f {
  let at = min(k, 3u) * STEP_B + min(deep, DEEP - 1u) * 4u * PITCH_B + min(half, 1u) * 4u * WIDE + min(j, WIDE - 1u) * 4u;
  return vec4f(staged_b[at], staged_b[at + 1u], staged_b[at + 2u], staged_b[at + 3u]);
}

fn multiply_one(deep: u32, k: u32, at: vec2u) {
  let b0 = b_at(deep, k, 0u, at.y);
  let b1 = b_at(deep, k, 1u, at.y);
  let a0 = a_at(deep, k, at.x);
  y0 = add_outer(y0, a0, b0);
  y1 = add_outer(y1, a0, b1);
}

// 4 of K.
fn multiply(deep: u32, at: vec2u) {
  multiply_one(deep, 0u, at);
  multiply_one(deep, 1u, at);
  multiply_one(deep, 2u, at);
  multiply_one(deep, 3u, at);
}

// Line n of a tile: its number along the side, and along k, of its first element. Neighbours take neighbours in memory.
fn line_at(n: u32, along_k: u32, side: u32) -> vec2u {
  if (along_k == 1u) { return vec2u(n / DEEP, n % DEEP * 4u); }
  return vec2u(n % side * 4u, n / side);
}

// Where the first element of a line goes.
fn put_at(line: vec2u, pitch: u32) -> u32 {
  return line.y % 4u * 4u * pitch * DEEP + line.y / 4u * 4u * pitch + line.x;
}

fn put_a(at: u32, line: vec4f) {
  let to = min(at, LAST_A) * UNIT_A;
  staged_a[to] = line.x;
  staged_a[to + NEXT_A] = line.y;
  staged_a[to + 2u * NEXT_A] = line.z;
  staged_a[to + 3u * NEXT_A] = line.w;
}

fn put_b(at: u32, line: vec4f) {
  let to = min(at, LAST_B) * UNIT_B;
  staged_b[to] = line.x;
  staged_b[to + NEXT_B] = line.y;
  staged_b[to + 2u * NEXT_B] = line.z;
  staged_b[to + 3u * NEXT_B] = line.w;
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
  let at = min(vec2u(local / WIDE, local % WIDE), vec2u(SIDE_A - 1u, WIDE - 1u));
  var places_a: array<PlaceA, SHARE_A>;
  var places_b: array<PlaceB, SHARE_B>;
  var puts_a: array<u32, SHARE_A>;
  var puts_b: array<u32, SHARE_B>;
  var next_a: array<vec4f, SHARE_A>;
  var next_b: array<vec4f, SHARE_B>;
  for (var i = 0u; i < SHARE_A; i++) {
    let line = line_at(local + i * GROUP, A_ALONG_K, SIDE_A);
    places_a[i] = place_a(work.a, row + line.x, line.y);
    puts_a[i] = put_at(line, PITCH_A) / UNIT_A;
    next_a[i] = line_a(places_a[i], slab_at(work.k));
  }
  for (var i = 0u; i < SHARE_B; i++) {
    let line = line_at(local + i * GROUP, B_ALONG_K, SIDE_B);
    places_b[i] = place_b(work.b, column + line.x, line.y);
    puts_b[i] = put_at(line, PITCH_B) / UNIT_B;
    next_b[i] = line_b(places_b[i], slab_at(work.k));
  }
  for (var i = 0u; i < SHARE_A; i++) { put_a(puts_a[i], next_a[i]); }
  for (var i = 0u; i < SHARE_B; i++) { put_b(puts_b[i], next_b[i]); }
  workgroupBarrier();
  var start = work.k;
  for (; start + DEPTH <= work.end; start += DEPTH) {
    for (var i = 0u; i < SHARE_A; i++) { next_a[i] = line_a(places_a[i], slab_at(start + DEPTH)); }
    for (var i = 0u; i < SHARE_B; i++) { next_b[i] = line_b(places_b[i], slab_at(start + DEPTH)); }
    multiply(0u, at);
    multiply(1u, at);
    if (DEEP > 2u) {
      multiply(2u, at);
      multiply(3u, at);
    }
    workgroupBarrier();
    // of a K that ends here, something of a and b once more
    for (var i = 0u; i < SHARE_A; i++) { put_a(puts_a[i], next_a[i]); }
    for (var i = 0u; i < SHARE_B; i++) { put_b(puts_b[i], next_b[i]); }
    workgroupBarrier();
  }
  // The last slab begins where all of it is within K: what comes before `start` has been counted.
  let first = slab_at(start);
  for (var k = start; k < work.end; k++) {
    multiply_one((k - first) / 4u, (k - first) % 4u, at);
  }
  let y_row = row + at.x * 4u;
  let y_column = column + at.y * 4u;
  store_block(y0, work.y, y_row, y_column);
  store_block(y1, work.y, y_row, y_column + WIDE * 4u);
}
