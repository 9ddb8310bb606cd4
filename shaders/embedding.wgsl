// y[n] = table[ids[n]]
// ids: [N], table: rows FIRST..FIRST+ROWS of [V, C], y: [N, C]. One invocation copies one element,
// if its row lies in this part of the table.

override N: u32;
override C: u32;
override FIRST: u32;
override ROWS: u32;

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn embedding(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i >= N * C) {
    return;
  }
  let id = ids[i / C];
  if (id >= FIRST && id < FIRST + ROWS) {
    y[i] = table[(id - FIRST) * C + i % C];
  }
}
