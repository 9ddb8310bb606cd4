// What one load brings of b, as it is held until it is computed with.
fn taken_b(x: B) -> TakenB {
  return TakenB(x);
}

