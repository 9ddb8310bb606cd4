// A block of 4x4 that was asked for: bits of whole registers, since who would take halves out of them at once would wait for them.
alias Held = array<vec2u, 4>;

fn held(block: mat4x4<f16>) -> Held {
  return Held(bitcast<vec2u>(block[0]), bitcast<vec2u>(block[1]), bitcast<vec2u>(block[2]), bitcast<vec2u>(block[3]));
}

fn block_of(bits: Held) -> mat4x4<f16> {
  return mat4x4<f16>(bitcast<vec4<f16>>(bits[0]), bitcast<vec4<f16>>(bits[1]), bitcast<vec4<f16>>(bits[2]), bitcast<vec4<f16>>(bits[3]));
}
