// dx as layer_norm_backward.wgsl has it, and what is summed down columns of these rows: dy n, dy and dx, n = (x - mean) rstd
// x, dy, residual, dx: [ROWS, C], a span of all rows that begins at row FIRST; gain: [C]; mean, rstd: [all rows]; partials: [3, PARTS, C],
// this span's from part FIRST_PART on. A workgroup takes BLOCKS times 16 rows: first 16 invocations go along each of 16 rows, then each
// invocation goes down columns of its own, in which what was read before is still in the cache. layer_norm_totals.wgsl adds the parts.
// DY is the type of dy, RESIDUAL that of the residual, or of dy where there is none. AHEAD, 2 or 4, rows are loaded at a time.

struct Uniforms {
  ROWS: u32,
  FIRST: u32,
  C: u32,
  HAS_RESIDUAL: u32,
  BLOCKS: u32,
  PARTS: u32,
  FIRST_PART: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

const GROUP = 256u;
const BLOCK = 16u;
const LANES = GROUP / BLOCK;

@group(0) @binding(0) var<storage, read> x: array<Pack>;
@group(0) @binding(1) var<storage, read> gain: array<Pack>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<DY>;
// bound to dy where there is none
@group(0) @binding(5) var<storage, read> residual: array<RESIDUAL>;
@group(0) @binding(6) var<storage, read_write> dx: array<Pack>;
@group(0) @binding(7) var<storage, read_write> partials: array<Pack>;

// Of each row: the sums of dn and of dn n, of one lane each, then of all in the first.
var<workgroup> along_rows: array<vec2f, GROUP>;

fn normal(row: u32, at: u32) -> Pack {
  return (x[at] - mean[u.FIRST + row]) * rstd[u.FIRST + row];
}

// What is loaded for an element of dx: of AHEAD rows before the first is stored, which no load may pass.
struct Loaded {
  n: Pack,
  d: Pack,
  rest: Pack,
  scale: f32,
}

fn load(row: u32, column: u32) -> Loaded {
  let at = row * (u.C / PACK) + column;
  return Loaded(normal(row, at), Pack(dy[at]), Pack(residual[at]), rstd[u.FIRST + row]);
}

// Sums down a column.
struct Columns {
  gain: Pack,
  bias: Pack,
  dx: Pack,
}

// dx of row `i` of the block that begins at `first`. Behind its last row that one is stored again, but not summed: with a branch around,
// compilers would load there.
fn finish(columns: ptr<function, Columns>, one: Loaded, first: u32, i: u32, end: u32, c: u32, gain_here: Pack) {
  let row = min(i, end - 1u);
  let means = along_rows[row * LANES] / f32(u.C);
  let value = one.scale * (one.d * gain_here - means.x - one.n * means.y)
    + select(Pack(), one.rest, u.HAS_RESIDUAL == 1u);
  dx[(first + row) * (u.C / PACK) + c] = value;
  let none = Pack();
  (*columns).gain += select(none, one.d * one.n, i < end);
  (*columns).bias += select(none, one.d, i < end);
  (*columns).dx += select(none, value, i < end);
}

// Both sums of a row, of every LANES-th Pack from `lane` on.
fn sums_along(row: u32, lane: u32) -> vec2f {
  let packs = u.C / PACK;
  let start = row * packs;
  var sum = Sum();
  var along = Sum();
  for (var begin = lane; begin < packs; begin += RUN * LANES) {
    var run = Pack();
    var run_along = Pack();
    let end = min(begin + RUN * LANES, packs);
    for (var c = begin; c < end; c += LANES) {
      let dn = Pack(dy[start + c]) * gain[c];
      run += dn;
      run_along += dn * normal(row, start + c);
    }
    add_run(&sum, run);
    add_run(&along, run_along);
  }
  return vec2f(pack_sum(sum_of(sum)), pack_sum(sum_of(along)));
}

@compute @workgroup_size(GROUP)
fn rows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let part = linear_group(group, groups);
  let packs = u.C / PACK;
  for (var block = 0u; block < u.BLOCKS; block++) {
    let first = (part * u.BLOCKS + block) * BLOCK;
    if (first >= u.ROWS) { return; } // all of the workgroup
    workgroupBarrier();
    along_rows[local] = sums_along(min(first + local / LANES, u.ROWS - 1u), local % LANES);
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
      workgroupBarrier();
      if (local % LANES < width) { along_rows[local] += along_rows[local + width]; }
    }
    workgroupBarrier();
    let end = min(BLOCK, u.ROWS - first);
    for (var c = local; c < packs; c += GROUP) {
      let gain_here = gain[c];
      var columns = Columns();
      for (var i = 0u; i < end; i += AHEAD) {
        let one = load(first + i, c);
        let two = load(first + min(i + 1u, end - 1u), c);
        if (AHEAD == 2u) {
          finish(&columns, one, first, i, end, c, gain_here);
          finish(&columns, two, first, i + 1u, end, c, gain_here);
        } else {
          let three = load(first + min(i + 2u, end - 1u), c);
          let four = load(first + min(i + 3u, end - 1u), c);
          finish(&columns, one, first, i, end, c, gain_here);
          finish(&columns, two, first, i + 1u, end, c, gain_here);
          finish(&columns, three, first, i + 2u, end, c, gain_here);
          finish(&columns, four, first, i + 3u, end, c, gain_here);
        }
      }
      let place = (u.FIRST_PART + part) * packs + c;
      let all = u.PARTS * packs;
      if (block > 0u) {
        columns.gain += partials[place];
        columns.bias += partials[all + place];
        columns.dx += partials[2u * all + place];
      }
      partials[place] = columns.gain;
      partials[all + place] = columns.bias;
      partials[2u * all + place] = columns.dx;
    }
  }
}
