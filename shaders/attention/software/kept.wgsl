// Dropout of attention's probabilities, from the shader's binding `step`.

// whether there is any: its random numbers are most of a kernel
override DROPS: bool;

// What dropout multiplies the probabilities of a row and keys 4 quad .. 4 quad + 3 with: 0 or KEPT.
// Rows are counted through [B, H, T]. Key j has half j % 8 of counter j / 8's words, which is dropped below DROPPED.
fn kept(row: u32, quad: u32) -> vec4f {
  if (!DROPS) { return vec4f(1.0); }
  let key = vec2u(step[STEP_SEED_LOW], step[STEP_SEED_HIGH]);
  let words = philox(vec4u(quad / 2u, row, u.STREAM, step[STEP_NUMBER]), key);
  let pair = select(words.xy, words.zw, quad % 2u == 1u);
  let halves = vec4u(pair.x & 0xffffu, pair.x >> 16u, pair.y & 0xffffu, pair.y >> 16u);
  return select(vec4f(u.KEPT), vec4f(0.0), halves < vec4u(u.DROPPED));
}

