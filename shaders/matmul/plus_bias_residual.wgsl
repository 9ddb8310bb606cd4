// before the activation: product + bias of the column + residual, which has y's shape
@group(0) @binding(BIAS) var<storage, read> bias: array<Cell>;
@group(0) @binding(RESIDUAL) var<storage, read> residual: array<R>;

fn added(product: Cell, at: u32, column: u32) -> Cell {
  return product + bias[(u.BIAS_START + column) / CELL] + Cell(residual[at]);
}

