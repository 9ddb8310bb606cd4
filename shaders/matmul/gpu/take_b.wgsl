// What one load brings of b, as it is computed with. narrow_b.wgsl is for f32 on units that take f16.
fn taken_b(x: B) -> TakenB {
  return TakenB(x);
}

