// How matrices come from tensors of f16 as they are: queries and dy stream by, keys and values are held. See matrix_whole_keys.wgsl.

struct Ahead {
  nothing: u32,
}

fn fetch(place: Place, start: u32, local: u32) -> Ahead {
  return Ahead();
}

fn stage(place: Place, turn: u32, start: u32, unit: u32, local: u32, ahead: Ahead) {
  if (STAGED == 0u) { return; }
  for (var i = unit; i < STEPS * BLOCKS; i += UNITS) {
    let n = i / BLOCKS;
    let b = i % BLOCKS;
    let row = within(start + n * SIDE);
    let copied_first = subgroupMatrixLoad<Left, row_major>(&qkv, first_at(place, row) + b * SIDE, 3u * u.H * D);
    subgroupMatrixStore<row_major>(&staged[staged_at(turn, 0u, n, b)], 0u, copied_first, HALF_PITCH);
    let copied_second = subgroupMatrixLoad<Left, row_major>(&dy, second_at(place, row) + b * SIDE, u.H * D);
    subgroupMatrixStore<row_major>(&staged[staged_at(turn, 1u, n, b)], 0u, copied_second, HALF_PITCH);
  }
}

fn first_columns(place: Place, turn: u32, n: u32, row: u32, b: u32) -> Right {
  if (STAGED == 1u) {
    return subgroupMatrixLoad<Right, col_major>(&staged[staged_at(turn, 0u, n, b)], 0u, HALF_PITCH);
  }
  return subgroupMatrixLoad<Right, col_major>(&qkv, first_at(place, row) + b * SIDE, 3u * u.H * D);
}

fn first_rows(place: Place, turn: u32, n: u32, row: u32, b: u32) -> Right {
  if (STAGED == 1u) {
    return subgroupMatrixLoad<Right, row_major>(&staged[staged_at(turn, 0u, n, b)], 0u, HALF_PITCH);
  }
  return subgroupMatrixLoad<Right, row_major>(&qkv, first_at(place, row) + b * SIDE, 3u * u.H * D);
}

fn second_columns(place: Place, turn: u32, n: u32, row: u32, b: u32) -> Right {
  if (STAGED == 1u) {
    return subgroupMatrixLoad<Right, col_major>(&staged[staged_at(turn, 1u, n, b)], 0u, HALF_PITCH);
  }
  return subgroupMatrixLoad<Right, col_major>(&dy, second_at(place, row) + b * SIDE, u.H * D);
}

fn second_rows(place: Place, turn: u32, n: u32, row: u32, b: u32) -> Right {
  if (STAGED == 1u) {
    return subgroupMatrixLoad<Right, row_major>(&staged[staged_at(turn, 1u, n, b)], 0u, HALF_PITCH);
  }
  return subgroupMatrixLoad<Right, row_major>(&dy, second_at(place, row) + b * SIDE, u.H * D);
}

fn held_a(own_at: u32, unit_at: u32, stride: u32, b: u32, unit: u32, local: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&qkv, unit_at + b * SIDE, stride);
}

fn held_b(own_at: u32, unit_at: u32, stride: u32, b: u32, unit: u32, local: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&qkv, unit_at + b * SIDE, stride);
}
