// Matrices of a transposed b, whose rows lie along k.
fn right_at(start: u32, k: u32, column: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(&b, eights(start) + column * eights(u.B_COLUMN) + eights(k), eights(u.B_COLUMN));
}
