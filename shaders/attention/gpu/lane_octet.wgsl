// Eight neighbouring invocations share a row, where registers are few: each has an eighth of its columns. As in lane_quad.wgsl, they are
// neighbours in a subgroup.
const LANES = 8u;
const DRAWERS = 4u;

// The same in all eight, whatever the order.
fn lanes_sum(x: f32) -> f32 {
  let pair = x + quadSwapX(x);
  let quad = pair + quadSwapY(pair);
  return quad + subgroupShuffleXor(quad, 4u);
}

// As lane_quad.wgsl has it: a word has room for what four draw.
fn draw_queries(first_row: u32, rows: u32, oct: u32, lane: u32) -> u32 {
  let own = kept_bits(first_row + lane % 4u % rows, oct + lane % 4u / rows) << (8u * (lane % 4u));
  let pair = own | quadSwapX(own);
  return pair | quadSwapY(pair);
}
