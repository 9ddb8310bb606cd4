// How matrices come from tensors of vec4<f16>, X: through workgroup memory, four neighbours at a time. What streams by is asked for a tile ahead.
// The kernel says where: first_at, second_at, first_4, second_4 of what streams by, held_a_4 and held_b_4 of what is held.

// Of four neighbours of a tile: how many an invocation takes.
const SHARE = (TILE * D / 4u + WORKGROUP - 1u) / WORKGROUP;

struct Ahead {
  first: array<X, SHARE>,
  second: array<X, SHARE>,
}

fn fetch(place: Place, start: u32, local: u32) -> Ahead {
  var ahead: Ahead;
  for (var i = 0u; i < SHARE; i++) {
    let four = local + i * WORKGROUP;
    let row = within(start + four / (D / 4u) / SIDE * SIDE) + four / (D / 4u) % SIDE;
    ahead.first[i] = first_4(first_at(place, row) / 4u + four % (D / 4u));
    ahead.second[i] = second_4(second_at(place, row) / 4u + four % (D / 4u));
  }
  return ahead;
}

fn put_staged(matrix: u32, at: u32, x: X) {
  staged[matrix][at] = x.x;
  staged[matrix][at + 1u] = x.y;
  staged[matrix][at + 2u] = x.z;
  staged[matrix][at + 3u] = x.w;
}

fn stage(place: Place, turn: u32, start: u32, unit: u32, local: u32, ahead: Ahead) {
  for (var i = 0u; i < SHARE; i++) {
    let four = local + i * WORKGROUP;
    let row = four / (D / 4u);
    if (TILE * D / 4u % WORKGROUP == 0u || row < TILE) {
      let at = row % SIDE * HALF_PITCH + four % 4u * 4u;
      put_staged(staged_at(turn, 0u, row / SIDE, four % (D / 4u) / 4u), at, ahead.first[i]);
      put_staged(staged_at(turn, 1u, row / SIDE, four % (D / 4u) / 4u), at, ahead.second[i]);
    }
  }
}

// Held matrices, by where their first rows begin, of the invocation's unit and of the subgroup's; rows are `stride` apart. All of the
// workgroup calls these.
fn put_held(row: u32, local: u32, x: X) {
  let matrix = local / 32u * STEPS;
  let at = row % SIDE * HALF_PITCH + local % 4u * 4u;
  halves[matrix][at] = x.x;
  halves[matrix][at + 1u] = x.y;
  halves[matrix][at + 2u] = x.z;
  halves[matrix][at + 3u] = x.w;
}

fn take_held(unit: u32) -> Left {
  workgroupBarrier();
  let taken = subgroupMatrixLoad<Left, row_major>(&halves[min(unit, UNITS - 1u) * STEPS], 0u, HALF_PITCH);
  workgroupBarrier();
  return taken;
}

fn held_a(own_at: u32, unit_at: u32, stride: u32, b: u32, unit: u32, local: u32) -> Left {
  for (var part = 0u; part < 2u; part++) {
    let row = row_of(local) + 8u * part;
    put_held(row, local, held_a_4((own_at + row * stride + b * SIDE) / 4u + local % 4u));
  }
  return take_held(unit);
}

fn held_b(own_at: u32, unit_at: u32, stride: u32, b: u32, unit: u32, local: u32) -> Left {
  for (var part = 0u; part < 2u; part++) {
    let row = row_of(local) + 8u * part;
    put_held(row, local, held_b_4((own_at + row * stride + b * SIDE) / 4u + local % 4u));
  }
  return take_held(unit);
}

fn held_four(at: u32) -> vec4f {
  return vec4f(held_b_4(at));
}

fn first_columns(place: Place, turn: u32, n: u32, row: u32, b: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(&staged[staged_at(turn, 0u, n, b)], 0u, HALF_PITCH);
}

fn first_rows(place: Place, turn: u32, n: u32, row: u32, b: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(&staged[staged_at(turn, 0u, n, b)], 0u, HALF_PITCH);
}

fn second_columns(place: Place, turn: u32, n: u32, row: u32, b: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(&staged[staged_at(turn, 1u, n, b)], 0u, HALF_PITCH);
}

fn second_rows(place: Place, turn: u32, n: u32, row: u32, b: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(&staged[staged_at(turn, 1u, n, b)], 0u, HALF_PITCH);
}
