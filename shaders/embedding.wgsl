// y[n] = table[ids[n]] + residual[n]
// ids: [N], table: rows FIRST..FIRST+ROWS of [V, C], residual, y: [N, C]. One invocation copies one Pack,
// if its row lies in this part of the table.
// The table is lib/table_stored.wgsl's or lib/table_words.wgsl's; RESIDUAL is the type of the residual, or of the table where there is none.

struct Uniforms {
  N: u32,
  C: u32,
  FIRST: u32,
  ROWS: u32,
  HAS_RESIDUAL: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> ids: array<u32>;
// bound to the table where there is none
@group(0) @binding(2) var<storage, read> residual: array<RESIDUAL>;
@group(0) @binding(3) var<storage, read_write> y: array<Pack>;

@compute @workgroup_size(64)
fn embedding(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  let packs = u.C / PACK;
  if (i >= u.N * packs) {
    return;
  }
  let id = ids[i / packs];
  if (id >= u.FIRST && id < u.FIRST + u.ROWS) {
    var value = table_entry((id - u.FIRST) * packs + i % packs);
    if (u.HAS_RESIDUAL == 1u) { value += Pack(residual[i]); }
    y[i] = value;
  }
}
