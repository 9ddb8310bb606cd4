// What a kernel computed, as it lies in memory: rounded to f16, and from 65520 on to infinity, which WGSL leaves open: the
// guard against overflow has to see it. Chosen by bits, since compilers may take it that no float is infinite; NaN, whose bits
// lie beyond, stays as it is.
alias Stored = f16;

fn stored(value: f32) -> Stored {
  let bits = bitcast<u32>(value);
  // 0x477ff000 is 65520, 0x7f800000 infinity: what is below the first wraps around
  let overflows = (bits & 0x7fffffffu) - 0x477ff000u <= 0x7f800000u - 0x477ff000u;
  return Stored(bitcast<f32>(select(bits, (bits & 0x80000000u) | 0x7f800000u, overflows)));
}
