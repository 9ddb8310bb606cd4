// y = gelu'(slope) times product and what is added to it: see finish_gelu.wgsl. slope, whose elements are S, lies as y does.
override EXACT: bool;

@group(0) @binding(SLOPE) var<storage, read> slope: array<S>;

fn finish(product: Cell, at: u32, column: u32) -> Cell {
  let d = added(product, at, column);
  let x = Cell(slope[at]);
  if (EXACT) {
    return gelu_erf_slope(x) * d;
  }
  return gelu_tanh_slope(x) * d;
}
