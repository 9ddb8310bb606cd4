// Which of 4 neighbours of y are dropped; DROP_FIRST: how many fours of y lie before what is bound.
@group(0) @binding(STEP) var<storage, read> step: array<u32>;

fn drops(at: u32) -> vec4<bool> {
  let key = vec2u(step[STEP_SEED_LOW], step[STEP_SEED_HIGH]);
  let words = philox(vec4u(u.DROP_FIRST + at, 0u, u.DROP_STREAM, step[STEP_NUMBER]), key);
  let numbers = vec4f(uniform24(words.x), uniform24(words.y), uniform24(words.z), uniform24(words.w));
  return numbers < vec4f(u.DROP_RATE);
}
