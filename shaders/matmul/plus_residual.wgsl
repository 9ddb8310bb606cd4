// before the activation: product + residual, which has y's shape
@group(0) @binding(RESIDUAL) var<storage, read> residual: array<R>;

fn added(product: Cell, at: u32, column: u32) -> Cell {
  return product + Cell(residual[at]);
}

