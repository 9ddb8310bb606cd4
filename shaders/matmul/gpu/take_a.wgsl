// What one load brings of a, as it is computed with. narrow_a.wgsl is for f32 on units that take f16.
fn taken_a(x: A) -> TakenA {
  return TakenA(x);
}

