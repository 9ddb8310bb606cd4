// Four neighbouring invocations share a row: each has a quarter of its columns in registers. They are a quad of a subgroup as long as
// neighbours of a workgroup are neighbours of a subgroup, which WGSL leaves open and all adapters known to us do.
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

