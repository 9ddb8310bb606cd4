// before the activation: y + product
fn added(product: Cell, at: u32, column: u32) -> Cell {
  return y[at] + product;
}

