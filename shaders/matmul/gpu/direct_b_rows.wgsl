// Matrices of b.
fn right_at(start: u32, k: u32, column: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(&b, eights(start) + k * eights(u.B_K) + eights(column), eights(u.B_K));
}
