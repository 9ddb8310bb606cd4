// A block of b that was asked for: bits of whole registers, since who would take halves out of them at once would wait for them.
alias HeldB = array<vec2u, 4>;

fn hold_b(block: mat4x4<f16>) -> HeldB {
  return HeldB(bitcast<vec2u>(block[0]), bitcast<vec2u>(block[1]), bitcast<vec2u>(block[2]), bitcast<vec2u>(block[3]));
}

fn lines_b(bits: HeldB) -> mat4x4<f16> {
  return mat4x4<f16>(bitcast<vec4<f16>>(bits[0]), bitcast<vec4<f16>>(bits[1]), bitcast<vec4<f16>>(bits[2]), bitcast<vec4<f16>>(bits[3]));
}

const NARROWS_B = false;

fn component_b(block: mat4x4<f16>) -> mat4x4<f16> {
  return block;
}

fn is_large_b(block: mat4x4<f16>) -> bool {
  return false;
}

fn large_b(block: mat4x4<f16>) -> mat4x4<f16> {
  return block;
}
