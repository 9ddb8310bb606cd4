// y, when its rows are not a multiple of 4 long: 4 neighbours are stored one by one.
alias Cell = f32;
const CELL = 1u;

@group(0) @binding(Y) var<storage, read_write> y: array<Stored>;

fn store_cell(product: f32, split: u32, row: u32, column: u32) {
  if (column < u.N) {
    let at = u.Y_START + (split * u.M + row) * u.Y_ROW + column;
    y[at] = stored(finish(product, at, column));
  }
}

fn store(products: vec4f, split: u32, row: u32, column: u32) {
  store_cell(products.x, split, row, column);
  store_cell(products.y, split, row, column + 1u);
  store_cell(products.z, split, row, column + 2u);
  store_cell(products.w, split, row, column + 3u);
}

