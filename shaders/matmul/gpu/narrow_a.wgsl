// What is multiplied of a block of a, which is f32, on units that take f16.
fn component_a(block: mat4x4f) -> mat4x4<f16> {
  return mat4x4<f16>(narrow(block[0]), narrow(block[1]), narrow(block[2]), narrow(block[3]));
}
