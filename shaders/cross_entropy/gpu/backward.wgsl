// dlogits[r, j] = (exp(logits[r, j] - logSumExp[r]) - (1 - SMOOTHING) [j = labels[r]] - SMOOTHING / V) dloss[r],
// 0 where the label is -100, and behind the V columns that count
// logits, dlogits: [R, WIDTH], rows FIRST..FIRST+R of all; labels, log_sum_exp, dloss: [all rows].
// One invocation has a Pack; x goes along a row, y and z count rows, so that what a row has is the same in all of a workgroup.
// logit_at is in logits_apart.wgsl or logits_in_place.wgsl, put before this file. Stored is the type of a Pack of logits and dlogits,
// ROW_LANES the dispatch's. For GPUs; software/backward.wgsl is for software drivers.

struct Uniforms {
  R: u32,
  WIDTH: u32,
  V: u32,
  FIRST: u32,
  SMOOTHING: f32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> labels: array<i32>;
@group(0) @binding(1) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(2) var<storage, read> dloss: array<f32>;
@group(0) @binding(3) var<storage, read_write> dlogits: array<Stored>;

@compute @workgroup_size(ROW_LANES)
fn cross_entropy_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = group.z * groups.y + group.y;
  let pack = group.x * ROW_LANES + local;
  let packs = u.WIDTH / PACK;
  if (row >= u.R || pack >= packs) {
    return;
  }
  let i = row * packs + pack;
  let label = labels[u.FIRST + row];
  let columns = pack_numbers(pack);
  let hit = select(Pack(), Pack(1.0 - u.SMOOTHING), columns == PackBits(u32(label)));
  let probability = exp(logit_at(i) - log_sum_exp[u.FIRST + row]);
  let gradient = (probability - hit - u.SMOOTHING / f32(u.V)) * dloss[u.FIRST + row];
  // A label that is ignored is negative, and as a number without sign beyond all columns.
  let counts = columns < PackBits(select(u.V, 0u, label < 0));
  dlogits[i] = stored(select(Pack(), gradient, counts));
}
