// y, when its rows are a multiple of 4 long: 4 neighbours are one store.
alias Cell = vec4f;
const CELL = 4u;

@group(0) @binding(Y) var<storage, read_write> y: array<Stored>;

fn store_at(products: vec4f, at: u32, column: u32) {
  if (column < u.N) {
    let counts = vec4u(column) + vec4u(0u, 1u, 2u, 3u) < vec4u(u.N);
    y[at] = stored(select(vec4f(), finish(products, at, column), counts));
  } else if (column < u.COLUMNS) {
    y[at] = Stored();
  }
}

fn store(products: vec4f, start: u32, row: u32, column: u32) {
  store_at(products, (start + row * u.Y_ROW + column) / 4u, column);
}

