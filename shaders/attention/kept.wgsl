// Dropout of attention's probabilities, from the shader's binding `step`.

// whether there is any: its random numbers are most of a kernel
override DROPS: bool;

// What dropout multiplies the probabilities of a row and keys 4 quad .. 4 quad + 3 with: 0 or 1 / (1 - RATE).
// Rows are counted through [B, H, T].
fn kept(row: u32, quad: u32) -> vec4f {
  if (!DROPS) { return vec4f(1.0); }
  let key = vec2u(step[STEP_SEED_LOW], step[STEP_SEED_HIGH]);
  let words = philox(vec4u(quad, row, u.STREAM, step[STEP_NUMBER]), key);
  let draws = vec4f(uniform24(words.x), uniform24(words.y), uniform24(words.z), uniform24(words.w));
  return select(vec4f(1.0 / (1.0 - u.RATE)), vec4f(0.0), draws < vec4f(u.RATE));
}

