// Each invocation has rows of its own; with lane_quad.wgsl four share one.
const LANES = 1u;
const DRAWERS = 1u;

fn lanes_sum(x: f32) -> f32 {
  return x;
}

// As lane_quad.wgsl has it.
fn draw_queries(first_row: u32, rows: u32, oct: u32, lane: u32) -> u32 {
  return kept_bits(first_row, oct);
}
