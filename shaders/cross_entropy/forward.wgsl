// loss[r] = logSumExp[r] - (1 - SMOOTHING) logits[r, labels[r]] - SMOOTHING mean over j of logits[r, j],
// 0 where the label is -100
// logits: [R, WIDTH], of which V columns count, rows FIRST..FIRST+R of all; labels, loss, log_sum_exp: [all rows].
// ROW_SHARE invocations take a row, as lib/row_alone.wgsl or lib/row_group.wgsl, put before this file, says, and each of them every
// ROW_SHARE-th Pack. LOGITS is the type of the logits.

struct Uniforms {
  R: u32,
  WIDTH: u32,
  V: u32,
  FIRST: u32,
  SMOOTHING: f32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> logits: array<LOGITS>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> log_sum_exp: array<f32>;

const LOWEST = -3.4028234e38;

// The i-th Pack of a row, `none` where a column does not count.
fn counted(pack: Pack, i: u32, none: f32) -> Pack {
  if (PACK == 1u) {
    return pack;
  }
  return select(Pack(none), pack, pack_numbers(i) < PackBits(u.V));
}

@compute @workgroup_size(ROW_WORKGROUP)
fn cross_entropy(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = row_of(linear_group(group, groups), local);
  if (row >= u.R) {
    return;
  }
  let start = row * (u.WIDTH / PACK);
  let packs = (u.V + PACK - 1u) / PACK;
  var largest = Pack(LOWEST);
  for (var j = row_part(local); j < packs; j += ROW_SHARE) {
    largest = max(largest, counted(Pack(logits[start + j]), j, LOWEST));
  }
  let maximum = row_maximum(pack_maximum(largest), local);
  var exponentials = Sum();
  var below = Sum();
  for (var begin = row_part(local); begin < packs; begin += RUN * ROW_SHARE) {
    var run = Pack();
    var run_below = Pack();
    let end = min(begin + RUN * ROW_SHARE, packs);
    for (var j = begin; j < end; j += ROW_SHARE) {
      let logit = Pack(logits[start + j]) - maximum;
      run += counted(exp(logit), j, 0.0);
      if (u.SMOOTHING > 0.0) { run_below += counted(logit, j, 0.0); }
    }
    add_run(&exponentials, run);
    add_run(&below, run_below);
  }
  let log_total = log(row_total(pack_sum(sum_of(exponentials)), local));
  var mean = 0.0;
  if (u.SMOOTHING > 0.0) { mean = row_total(pack_sum(sum_of(below)), local) / f32(u.V); }
  if (row_part(local) == 0u) {
    let label = labels[u.FIRST + row];
    log_sum_exp[u.FIRST + row] = maximum + log_total;
    loss[u.FIRST + row] = 0.0;
    if (label >= 0 && u32(label) < u.V) {
      let pack = Pack(logits[start + u32(label) / PACK]);
      let logit = pack_element(pack, u32(label) % PACK);
      // measured from the maximum: of large logits, the sum above has lost the digits that the loss is made of
      loss[u.FIRST + row] = log_total - mix(logit - maximum, mean, u.SMOOTHING);
    }
  }
}
