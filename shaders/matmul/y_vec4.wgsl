// y, when its rows are a multiple of 4 long: 4 neighbours are one store.
alias Cell = vec4f;
const CELL = 4u;

@group(0) @binding(Y) var<storage, read_write> y: array<Stored>;

fn store(products: vec4f, start: u32, row: u32, column: u32) {
  if (column < u.N) {
    let at = (start + row * u.Y_ROW + column) / 4u;
    y[at] = stored(finish(products, at, column));
  }
}

