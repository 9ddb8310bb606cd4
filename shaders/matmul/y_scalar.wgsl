// y, when its rows are not a multiple of 4 long: 4 neighbours are stored one by one.
alias Cell = f32;
const CELL = 1u;

@group(0) @binding(Y) var<storage, read_write> y: array<Stored>;

fn store_at(product: f32, at: u32, column: u32) {
  if (column < u.N) {
    y[at] = stored(finish(product, at, column));
  } else if (column < u.COLUMNS) {
    y[at] = Stored();
  }
}

fn store_cell(product: f32, start: u32, row: u32, column: u32) {
  store_at(product, start + row * u.Y_ROW + column, column);
}

fn store_four(products: vec4f, at: u32, column: u32) {
  store_at(products.x, at, column);
  store_at(products.y, at + 1u, column + 1u);
  store_at(products.z, at + 2u, column + 2u);
  store_at(products.w, at + 3u, column + 3u);
}

fn store(products: vec4f, start: u32, row: u32, column: u32) {
  store_four(products, start + row * u.Y_ROW + column, column);
}

