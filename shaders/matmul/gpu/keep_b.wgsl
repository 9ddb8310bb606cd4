// What is multiplied of a block of b: as it was loaded. narrow_b.wgsl is for f32 on units that take f16.
const NARROWS_B = false;

fn component_b(block: mat4x4f) -> mat4x4f {
  return block;
}

fn is_large_b(block: mat4x4f) -> bool {
  return false;
}

fn large_b(block: mat4x4f) -> mat4x4f {
  return block;
}
