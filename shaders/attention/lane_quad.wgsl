// Four neighbouring invocations, a quad of a subgroup, share a row: each has a quarter of its columns in registers.
const LANES = 4u;

// The same in all four, whatever the order: (a + b) + (c + d).
fn lanes_sum(x: f32) -> f32 {
  let pair = x + quadSwapX(x);
  return pair + quadSwapY(pair);
}

fn lanes_sum_4(x: vec4f) -> vec4f {
  let pair = x + quadSwapX(x);
  return pair + quadSwapY(pair);
}

