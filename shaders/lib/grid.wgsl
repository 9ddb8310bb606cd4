// The number of this workgroup when a long row of them was folded into x and y (gridOf in src/kernels/dispatch.ts).
fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}

