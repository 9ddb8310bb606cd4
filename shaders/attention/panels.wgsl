// What the panel kernels share. They keep the scores of GROUP heads at a time, from head FIRST on, in panels
// [GROUP, TP, TP + 4], TP = T rounded up to 8, of which the lower triangle is written, in tiles of 8 rows and 4 keys.
// Everything is a product of 4 x 4 matrices in registers: no arrays, no workgroup memory, no barriers.

override FIRST: u32;
override GROUP: u32;

// Which head, and which of its work items.
struct Item {
  place: Place,
  // the head's number in the panels
  head: u32,
  number: u32,
  // for kernels that compute one Pack of columns
  column: u32,
}

// Neighbouring invocations take the same item of different heads, so that their loops are equally long.
fn item_of(index: u32) -> Item {
  let head = index % GROUP;
  let number = FIRST + head;
  return Item(Place(number / H, number % H, 0u), head, index / GROUP, 0u);
}

// Neighbouring invocations take neighbouring columns, so that they read the same part of a panel.
fn column_item_of(index: u32) -> Item {
  let item = item_of(index / PACKS);
  return Item(item.place, item.head, item.number, index % PACKS);
}

// the first 4 keys that a tile of rows has in the panels, even, as keys are taken in eights; i: the first row
fn first_quad(place: Place, i: u32) -> u32 {
  return first_key(place, i) / 8u * 2u;
}

fn quads() -> u32 {
  return (T + 7u) / 8u * 2u;
}

// vec4s from one row of a panel to the next; odd, so that rows below each other do not fall in the same cache set
fn panel_row() -> u32 {
  return quads() + 1u;
}

// where 4 neighbouring keys of a row lie in the panels, in vec4s
fn panel_at(head: u32, i: u32, quad: u32) -> u32 {
  return (head * quads() * 4u + i) * panel_row() + quad;
}

// the numbers of 4 neighbouring rows, none beyond the last
fn rows_from(first: u32) -> vec4u {
  return min(vec4u(first) + FOUR, vec4u(T - 1u));
}

fn q_rows(place: Place, rows: vec4u) -> vec4u {
  return vec4u(q_at(place, rows.x), q_at(place, rows.y), q_at(place, rows.z), q_at(place, rows.w));
}

fn y_rows(place: Place, rows: vec4u) -> vec4u {
  return vec4u(y_at(place, rows.x), y_at(place, rows.y), y_at(place, rows.z), y_at(place, rows.w));
}

fn row_numbers(place: Place, rows: vec4u) -> vec4u {
  return vec4u(row_at(place, 0u)) + rows;
}

