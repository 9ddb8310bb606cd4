// 4 neighbours of what a kernel computed, as they lie in memory: see lib/store_f16x1.wgsl.
alias Stored = vec4<f16>;

fn stored(value: vec4f) -> Stored {
  let bits = bitcast<vec4u>(value);
  let overflows = (bits & vec4u(0x7fffffffu)) - vec4u(0x477ff000u) <= vec4u(0x7f800000u - 0x477ff000u);
  return Stored(bitcast<vec4f>(select(bits, (bits & vec4u(0x80000000u)) | vec4u(0x7f800000u), overflows)));
}
