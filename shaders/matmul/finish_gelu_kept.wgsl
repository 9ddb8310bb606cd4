// x = product and what is added to it, which is kept, and y = gelu of that: see finish_gelu.wgsl. x lies as y does.
override EXACT: bool;

@group(0) @binding(X) var<storage, read_write> x: array<Stored>;

fn finish(product: Cell, at: u32, column: u32) -> Cell {
  let before = added(product, at, column);
  x[at] = stored(before);
  if (EXACT) {
    return gelu_erf(before);
  }
  return gelu_tanh(before);
}
