// What is multiplied of a block of b, which is f32, on units that take f16.
const NARROWS_B = true;

fn component_b(block: mat4x4f) -> mat4x4<f16> {
  return narrow(block);
}

fn is_large_b(block: mat4x4f) -> bool {
  return is_large(block);
}

fn large_b(block: mat4x4f) -> mat4x4<f16> {
  return narrow_large(block);
}
