// What a kernel computed, as it lies in memory: rounded to f16, and from 65520 on to infinity, which WGSL leaves open: the
// guard against overflow has to see it.
alias Stored = f16;

fn stored(value: f32) -> Stored {
  var bits = 0x7c007c00u; // a variable, since no constant may be infinite
  let infinity = bitcast<vec2<f16>>(bits).x;
  return select(Stored(value), select(infinity, -infinity, value < 0.0), abs(value) >= 65520.0);
}

