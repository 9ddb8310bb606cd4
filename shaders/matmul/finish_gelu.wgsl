// y = gelu of product and what is added to it, its tanh approximation or, EXACT, with erf; see lib/gelu.wgsl
override EXACT: bool;

fn finish(product: Cell, at: u32, column: u32) -> Cell {
  let x = added(product, at, column);
  if (EXACT) {
    return gelu_erf(x);
  }
  return gelu_tanh(x);
}

