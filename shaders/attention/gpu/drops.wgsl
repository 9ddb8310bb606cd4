// Dropout of attention's probabilities in kernels that never store one, from the shader's binding `step`: software/kept.wgsl has the same for
// panels. Numbers cost more than all else that is done for a probability, so no two invocations draw the same ones: what they drew
// they tell each other as bits.

// whether there is any
override DROPS: bool;

// Bits of two neighbouring keys, whose halves of a word are not below DROPPED.
fn kept_pair(word: u32) -> u32 {
  return select(0u, 1u, (word & 0xffffu) >= u.DROPPED) | select(0u, 2u, (word >> 16u) >= u.DROPPED);
}

// Bit j: whether the row keeps key 8 oct + j. Rows are counted through [B, H, T].
fn kept_bits(row: u32, oct: u32) -> u32 {
  let key = vec2u(step[STEP_SEED_LOW], step[STEP_SEED_HIGH]);
  let words = philox(vec4u(oct, row, u.STREAM, step[STEP_NUMBER]), key);
  return (kept_pair(words.x) | (kept_pair(words.y) << 2u)) | ((kept_pair(words.z) << 4u) | (kept_pair(words.w) << 6u));
}

// What is kept counts so many times, that the sum is what it was.
fn kept_scale() -> f32 {
  if (DROPS) { return u.KEPT; }
  return 1.0;
}

// x where bit `at` is set, else 0.
fn keep(x: f32, bits: u32, at: u32) -> f32 {
  if (!DROPS) { return x; }
  return bitcast<f32>(bitcast<i32>(x) & extractBits(i32(bits), at, 1u));
}

// The same of bits `at` and on.
fn keep_4(x: vec4f, bits: u32, at: u32) -> vec4f {
  return vec4f(keep(x.x, bits, at), keep(x.y, bits, at + 1u), keep(x.z, bits, at + 2u), keep(x.w, bits, at + 3u));
}

