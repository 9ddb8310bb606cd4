// Matrices of a, whose rows lie along k.
fn left_at(start: u32, row: u32, k: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&a, eights(start) + row * eights(u.A_ROW) + eights(k), eights(u.A_ROW));
}
