// keys[r, h, :, s] = k, values[r, h, s, :] = v of row p S + s of qkv, whose columns are q | k | v; r = cache_rows[p].
// qkv: [P S, 3 H D], a span of which that begins at row FIRST is bound;
// keys: [B, H, D, T]; values: [B, H, T, D]. One invocation copies one element of each.

struct Uniforms {
  N: u32,
  FIRST: u32,
  S: u32,
  T: u32,
  H: u32,
  D: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> cache_rows: array<u32>;
@group(0) @binding(2) var<storage, read_write> keys: array<f32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn cache_append(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i >= u.N) {
    return;
  }
  let c = u.H * u.D;
  let column = i % c;
  let row = u.FIRST + i / c;
  let s = row % u.S;
  let head = cache_rows[row / u.S] * u.H + column / u.D;
  let at = i / c * 3u * c + column;
  keys[(head * u.D + column % u.D) * u.T + s] = qkv[at + c];
  values[(head * u.T + s) * u.D + column % u.D] = qkv[at + 2u * c];
}
