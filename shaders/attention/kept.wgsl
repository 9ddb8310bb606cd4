// Dropout of attention's probabilities, from the shader's binding `step`.

override RATE: f32;
override STREAM: u32;

// What dropout multiplies the probabilities of row i and keys 4 quad .. 4 quad + 3 with: 0 or 1 / (1 - RATE).
fn kept(place: Place, i: u32, quad: u32) -> vec4f {
  if (RATE == 0.0) { return vec4f(1.0); }
  let key = vec2u(step[STEP_SEED_LOW], step[STEP_SEED_HIGH]);
  let words = philox(vec4u(quad, row_at(place, i), STREAM, step[STEP_NUMBER]), key);
  let draws = vec4f(uniform24(words.x), uniform24(words.y), uniform24(words.z), uniform24(words.w));
  return select(vec4f(1.0 / (1.0 - RATE)), vec4f(0.0), draws < vec4f(RATE));
}

