// What the panel kernels share. They keep the scores of GROUP heads at a time, from head FIRST on, and of ROWS rows, from
// row FROM on, in panels [GROUP, ROWS, TP + 4], TP = T rounded up to 8, of which the part up to the diagonal is written, in
// tiles of TILE rows and 4 keys. TILE is a power of 2, FROM and ROWS are multiples of 8.
// Everything is a product of 4 x 4 matrices in registers: no arrays, no workgroup memory, no barriers.
// x and y are tensors with a row for each position: qkv, dqkv, the output or its gradient. Row i of head h has PACKS
// Packs, from ((b - B0) T + i) X_ROW + X_START + h PACKS on, so that one kernel serves queries, keys, values and gradients;
// X is the type of what is read of them, Stored of what is written.
// B0 is the first sequence of what is bound of them.
struct Uniforms {
  T: u32,
  H: u32,
  PACKS: u32,
  FIRST: u32,
  GROUP: u32,
  B0: u32,
  FROM: u32,
  ROWS: u32,
  TILE: u32,
  X_ROW: u32,
  X_START: u32,
  Y_ROW: u32,
  Y_START: u32,
  SCALE: f32,
  DROPPED: u32,
  KEPT: f32,
  STREAM: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

// below every score, and finite: the maximum starts here
const LOWEST = -3.0e38;
const FOUR = vec4u(0u, 1u, 2u, 3u);
// so many fours of keys are summed before they join what came before: fewer roundings in a row
const RUN = 16u;

// Which head, and which of its work items.
struct Item {
  b: u32,
  h: u32,
  // the head's number in the panels
  head: u32,
  number: u32,
  // for kernels that compute one Pack of columns
  column: u32,
}

// Neighbouring invocations take the same item of different heads, so that their loops are equally long.
fn item_of(index: u32) -> Item {
  let head = index % u.GROUP;
  let number = u.FIRST + head;
  return Item(number / u.H, number % u.H, head, index / u.GROUP, 0u);
}

// Neighbouring invocations take neighbouring columns, so that they read the same part of a panel.
fn column_item_of(index: u32) -> Item {
  let item = item_of(index / u.PACKS);
  return Item(item.b, item.h, item.head, item.number, index % u.PACKS);
}

// the first 4 keys that a tile of rows has in the panels, even, as keys are taken in eights; i: the first row
fn first_quad(item: Item, i: u32) -> u32 {
  return first_key(item.b, i) / 8u * 2u;
}

fn quads() -> u32 {
  return (u.T + 7u) / 8u * 2u;
}

// where the keys end that row i has in the panels, in fours: with the diagonal of the last row of its tile
fn last_quad(i: u32) -> u32 {
  return min((i | (u.TILE - 1u)) / 4u + 1u, quads());
}

// where the panels' rows end; there may be fewer real ones
fn rows_end() -> u32 {
  return u.FROM + u.ROWS;
}

// vec4s from one row of a panel to the next; odd, so that rows below each other do not fall in the same cache set
fn panel_row() -> u32 {
  return quads() + 1u;
}

// where 4 neighbouring keys of a row lie in the panels, in vec4s
fn panel_at(head: u32, i: u32, quad: u32) -> u32 {
  return (head * u.ROWS + i - u.FROM) * panel_row() + quad;
}

// the numbers of 4 neighbouring rows, none beyond the last
fn rows_from(first: u32) -> vec4u {
  return min(vec4u(first) + FOUR, vec4u(u.T - 1u));
}

fn x_at(item: Item, rows: vec4u) -> vec4u {
  return ((item.b - u.B0) * u.T + rows) * u.X_ROW + (u.X_START + item.h * u.PACKS + item.column);
}

fn y_at(item: Item, rows: vec4u) -> vec4u {
  return ((item.b - u.B0) * u.T + rows) * u.Y_ROW + (u.Y_START + item.h * u.PACKS + item.column);
}

// where the row's number lies in [B, H, T]
fn row_at(item: Item, i: u32) -> u32 {
  return (item.b * u.H + item.h) * u.T + i;
}

