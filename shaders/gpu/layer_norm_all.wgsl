// dx as layer_norm_backward.wgsl has it, and what is summed down columns of these rows: dy n, dy and dx, n = (x - mean) rstd
// x, dy, residual, dx: [ROWS, C], a span of all rows that begins at row FIRST; gain: [C]; mean, rstd: [all rows]; partials: [3, PARTS, C],
// this span's from part FIRST_PART on. A workgroup takes BLOCKS times 16 rows: first 16 invocations go along each of 16 rows, then each
// invocation goes down columns of its own, in which what was read before is still in the cache. layer_norm_totals.wgsl adds the parts.
// DY is the type of dy, RESIDUAL that of the residual, or of dy where there is none.

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
      var gains = Pack();
      var biases = Pack();
      var columns = Pack();
      for (var i = 0u; i < end; i++) {
        let row = first + i;
        let at = row * packs + c;
        let means = along_rows[i * LANES] / f32(u.C);
        let d = Pack(dy[at]);
        let n = normal(row, at);
        var value = rstd[u.FIRST + row] * (d * gain[c] - means.x - n * means.y);
        if (u.HAS_RESIDUAL == 1u) { value += Pack(residual[at]); }
        dx[at] = value;
        gains += d * n;
        biases += d;
        columns += value;
      }
      let place = (u.FIRST_PART + part) * packs + c;
      let all = u.PARTS * packs;
      if (block > 0u) {
        gains += partials[place];
        biases += partials[all + place];
        columns += partials[2u * all + place];
      }
      partials[place] = gains;
      partials[all + place] = biases;
      partials[2u * all + place] = columns;
    }
  }
}
