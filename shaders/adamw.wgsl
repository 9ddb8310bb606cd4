// g' = scale g, m = BETA1 m + (1 - BETA1) g', v = BETA2 v + (1 - BETA2) g'^2,
// p = p (1 - lr WEIGHT_DECAY) - lr m c1 / (sqrt(v c2) + EPSILON), c = 1 / (1 - beta^step), lr: the step's by RATE_FACTOR
// p, g, m, v: [N Packs]; the first DECAYED elements decay. One invocation updates one Pack, unless the step is unhealthy.

struct Uniforms {
  N: u32,
  DECAYED: u32,
  BETA1: f32,
  REST1: f32,
  BETA2: f32,
  REST2: f32,
  EPSILON: f32,
  WEIGHT_DECAY: f32,
  RATE_FACTOR: f32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read_write> p: array<Pack>;
@group(0) @binding(1) var<storage, read> g: array<Pack>;
@group(0) @binding(2) var<storage, read_write> m: array<Pack>;
@group(0) @binding(3) var<storage, read_write> v: array<Pack>;
@group(0) @binding(4) var<storage, read> step: array<u32>;
@group(0) @binding(5) var<storage, read> stats: array<f32>;

@compute @workgroup_size(64)
fn adamw(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  let healthy = stats[2] == 1.0;
  if (i >= u.N || !healthy) {
    return;
  }
  let rate = bitcast<f32>(step[STEP_LEARNING_RATE]) * u.RATE_FACTOR;
  let gradient = g[i] * stats[1];
  let first = u.BETA1 * m[i] + u.REST1 * gradient;
  let second = u.BETA2 * v[i] + u.REST2 * gradient * gradient;
  let decays = pack_numbers(i) < PackBits(u.DECAYED);
  let decay = select(Pack(1.0), Pack(1.0 - rate * u.WEIGHT_DECAY), decays);
  let corrected1 = first * bitcast<f32>(step[STEP_CORRECTION_1]);
  let corrected2 = second * bitcast<f32>(step[STEP_CORRECTION_2]);
  // sqrt is 1 / inverseSqrt to WGSL, which promises nothing of it at 0 or below 2^-126
  p[i] = p[i] * decay - rate * (corrected1 / (sqrt(max(corrected2, Pack(1.2e-38))) + u.EPSILON));
  m[i] = first;
  v[i] = second;
}
