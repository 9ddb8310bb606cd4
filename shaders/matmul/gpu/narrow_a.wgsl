// What is multiplied of a block of a, which is f32, on units that take f16.
const NARROWS_A = true;

fn component_a(block: mat4x4f) -> mat4x4<f16> {
  return narrow(block);
}

fn is_large_a(block: mat4x4f) -> bool {
  return is_large(block);
}

fn large_a(block: mat4x4f) -> mat4x4<f16> {
  return narrow_large(block);
}
