// A block of a that was asked for: bits of whole registers, since who would take halves out of them at once would wait for them.
alias HeldA = array<vec2u, 4>;

fn hold_a(block: mat4x4<f16>) -> HeldA {
  return HeldA(bitcast<vec2u>(block[0]), bitcast<vec2u>(block[1]), bitcast<vec2u>(block[2]), bitcast<vec2u>(block[3]));
}

fn lines_a(bits: HeldA) -> mat4x4<f16> {
  return mat4x4<f16>(bitcast<vec4<f16>>(bits[0]), bitcast<vec4<f16>>(bits[1]), bitcast<vec4<f16>>(bits[2]), bitcast<vec4<f16>>(bits[3]));
}

const NARROWS_A = false;

fn component_a(block: mat4x4<f16>) -> mat4x4<f16> {
  return block;
}

fn is_large_a(block: mat4x4<f16>) -> bool {
  return false;
}

fn large_a(block: mat4x4<f16>) -> mat4x4<f16> {
  return block;
}
