// Each invocation has rows of its own; with lane_quad.wgsl four share one.
const LANES = 1u;

fn lanes_sum(x: f32) -> f32 {
  return x;
}

fn lanes_sum_4(x: vec4f) -> vec4f {
  return x;
}

