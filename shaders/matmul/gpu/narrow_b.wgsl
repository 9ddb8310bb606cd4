// What one load brings of b, which is f32, for units that take f16: from 65520 on it is infinite, which WGSL leaves open.
fn taken_b(x: B) -> TakenB {
  var bits = 0x7c00u; // a variable, since no constant may be infinite
  let infinity = TakenB(f16(unpack2x16float(bits).x));
  return select(TakenB(x), select(infinity, -infinity, x < B()), abs(x) >= B(65520.0));
}

