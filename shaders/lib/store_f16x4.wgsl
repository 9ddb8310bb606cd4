// 4 neighbours of what a kernel computed, as they lie in memory: see lib/store_f16x1.wgsl.
alias Stored = vec4<f16>;

fn stored(value: vec4f) -> Stored {
  var bits = 0x7c007c00u; // a variable, since no constant may be infinite
  let infinity = Stored(bitcast<vec2<f16>>(bits).x);
  return select(Stored(value), select(infinity, -infinity, value < vec4f()), abs(value) >= vec4f(65520.0));
}

