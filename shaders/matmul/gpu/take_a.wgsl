// What one load brings of a, as it is held until it is computed with.
fn taken_a(x: A) -> TakenA {
  return TakenA(x);
}

