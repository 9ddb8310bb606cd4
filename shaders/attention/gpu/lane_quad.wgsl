// Four neighbouring invocations share a row: each has a quarter of its columns in registers. They are a quad of a subgroup as long as
// neighbours of a workgroup are neighbours of a subgroup, which WGSL leaves open and all adapters known to us do.
const LANES = 4u;
// who draw, each for eight keys of a row
const DRAWERS = 4u;

// The same in all four, whatever the order: (a + b) + (c + d).
fn lanes_sum(x: f32) -> f32 {
  let pair = x + quadSwapX(x);
  return pair + quadSwapY(pair);
}

// Of dropout, what all four draw at once, each for one of `rows` rows (1, 2 or 4) and eight keys: whether row first_row + r keeps key
// 8 (oct + n) + j is bit 8 (n rows + r) + j, for n < LANES / rows.
fn draw_queries(first_row: u32, rows: u32, oct: u32, lane: u32) -> u32 {
  let own = kept_bits(first_row + lane % rows, oct + lane / rows) << (8u * lane);
  let pair = own | quadSwapX(own);
  return pair | quadSwapY(pair);
}
