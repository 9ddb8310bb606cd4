// Whether an element of y is dropped, by its word of four; DROP_FIRST: how many elements of y lie before what is bound.
@group(0) @binding(STEP) var<storage, read> step: array<u32>;

fn drops(at: u32) -> bool {
  let element = u.DROP_FIRST + at;
  let key = vec2u(step[STEP_SEED_LOW], step[STEP_SEED_HIGH]);
  let words = philox(vec4u(element / 4u, 0u, u.DROP_STREAM, step[STEP_NUMBER]), key);
  return uniform24(words[element % 4u]) < u.DROP_RATE;
}
