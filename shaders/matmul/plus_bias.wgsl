// before the activation: product + bias of the column
@group(0) @binding(BIAS) var<storage, read> bias: array<Cell>;

fn added(product: Cell, at: u32, column: u32) -> Cell {
  return product + bias[(u.BIAS_START + column) / CELL];
}

