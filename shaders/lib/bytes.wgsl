// Four whole numbers of 8 bits, out of the word that they are; the first is in its lowest bits.
fn four_of(bits: u32) -> vec4f {
  let word = bitcast<i32>(bits);
  return vec4f(vec4i(word << 24u, word << 16u, word << 8u, word) >> vec4u(24u));
}

// The same times a step, which is exact. They are taken without their signs, for which GPUs have an instruction each, and 128 steps off.
fn four_times(bits: u32, step: f32) -> vec4f {
  let word = bits ^ 0x80808080u;
  let whole = vec4f(vec4u(word, word >> 8u, word >> 16u, word >> 24u) & vec4u(255u));
  return fma(whole, vec4f(step), vec4f(-128.0 * step));
}

