// before the activation: y + product
fn added(product: Cell, at: u32, column: u32) -> Cell {
  return Cell(y[at]) + product;
}

