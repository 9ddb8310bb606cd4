// Four whole numbers of 8 bits, out of the word that they are; the first is in its lowest bits.
fn four_of(bits: u32) -> vec4f {
  let word = bitcast<i32>(bits);
  return vec4f(vec4i(word << 24u, word << 16u, word << 8u, word) >> vec4u(24u));
}

