// Matrices of a transposed a.
fn left_at(start: u32, row: u32, k: u32) -> Left {
  return subgroupMatrixLoad<Left, col_major>(&a, eights(start) + k * eights(u.A_K) + eights(row), eights(u.A_K));
}
