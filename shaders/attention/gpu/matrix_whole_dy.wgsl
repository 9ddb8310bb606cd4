// dy held, beside matrix_whole_keys.wgsl.
fn held_b(own_at: u32, unit_at: u32, stride: u32, b: u32, unit: u32, local: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&dy, unit_at + b * SIDE, stride);
}

fn held_four(at: u32) -> vec4f {
  return vec4f(f32(dy[4u * at]), f32(dy[4u * at + 1u]), f32(dy[4u * at + 2u]), f32(dy[4u * at + 3u]));
}
