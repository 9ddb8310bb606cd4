// What one load brings of a, which is f32, for units that take f16: from 65520 on it is infinite, which WGSL leaves open.
fn taken_a(x: A) -> TakenA {
  var bits = 0x7c00u; // a variable, since no constant may be infinite
  let infinity = TakenA(f16(unpack2x16float(bits).x));
  return select(TakenA(x), select(infinity, -infinity, x < A()), abs(x) >= A(65520.0));
}

