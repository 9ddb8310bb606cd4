// y = x * mask / (1 - RATE)
// x, y: [N]. One invocation draws four words and has four neighbours; FIRST is the number of the first four.
// Stored is the type of both.

struct Uniforms {
  N: u32,
  FIRST: u32,
  RATE: f32,
  STREAM: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<Stored>;

@compute @workgroup_size(64)
fn dropout(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let four = linear_group(group, groups) * 64u + local;
  let key = vec2u(step[STEP_SEED_LOW], step[STEP_SEED_HIGH]);
  let words = philox(vec4u(u.FIRST + four, 0u, u.STREAM, step[STEP_NUMBER]), key);
  for (var j = 0u; j < 4u; j++) {
    let i = four * 4u + j;
    if (i < u.N) {
      y[i] = stored(select(f32(x[i]) / (1.0 - u.RATE), 0.0, uniform24(words[j]) < u.RATE));
    }
  }
}
