// y = y + residual, after a product that has no room for it
// y, residual: [CELLS] of one Cell, f32 or 4 of them. One invocation adds one.

struct Uniforms {
  CELLS: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> residual: array<Cell>;
@group(0) @binding(1) var<storage, read_write> y: array<Cell>;

@compute @workgroup_size(64)
fn add_residual(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i < u.CELLS) {
    y[i] += residual[i];
  }
}
