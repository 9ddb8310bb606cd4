// WGSL lets a compiler assume that NaN and infinity do not occur, so `x != x` may be folded away: values are loaded as
// bits and judged by them. 0x7149f2ca is 1e30; larger patterns, infinity and NaN among them, are bad.
const MAGNITUDE_BITS = 0x7fffffffu;
const LARGEST_BITS = 0x7149f2cau;

fn is_bad(bits: u32) -> bool {
  return (bits & MAGNITUDE_BITS) > LARGEST_BITS;
}

