// g' = scale g, m = BETA1 m + (1 - BETA1) g', v = BETA2 v + (1 - BETA2) g'^2,
// p = p (1 - lr WEIGHT_DECAY) - lr m c1 / (sqrt(v c2) + EPSILON), c = 1 / (1 - beta^step), lr: the step's by RATE_FACTOR
// p, g, m, v: [N]; the first DECAYED elements decay. One invocation updates one element, unless the step is unhealthy.

override N: u32;
override DECAYED: u32;
override BETA1: f32;
override REST1: f32;
override BETA2: f32;
override REST2: f32;
override EPSILON: f32;
override WEIGHT_DECAY: f32;
override RATE_FACTOR: f32;

@group(0) @binding(0) var<storage, read_write> p: array<f32>;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> m: array<f32>;
@group(0) @binding(3) var<storage, read_write> v: array<f32>;
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
  if (i >= N || !healthy) {
    return;
  }
  let rate = bitcast<f32>(step[STEP_LEARNING_RATE]) * RATE_FACTOR;
  let gradient = g[i] * stats[1];
  let first = BETA1 * m[i] + REST1 * gradient;
  let second = BETA2 * v[i] + REST2 * gradient * gradient;
  let decay = select(1.0, 1.0 - rate * WEIGHT_DECAY, i < DECAYED);
  let corrected1 = first * bitcast<f32>(step[STEP_CORRECTION_1]);
  let corrected2 = second * bitcast<f32>(step[STEP_CORRECTION_2]);
  p[i] = p[i] * decay - rate * (corrected1 / (sqrt(max(corrected2, 0.0)) + EPSILON));
  m[i] = first;
  v[i] = second;
}
