// What is multiplied of a block of a: as it was loaded. narrow_a.wgsl is for f32 on units that take f16.
const NARROWS_A = false;

fn component_a(block: mat4x4f) -> mat4x4f {
  return block;
}

fn is_large_a(block: mat4x4f) -> bool {
  return false;
}

fn large_a(block: mat4x4f) -> mat4x4f {
  return block;
}
