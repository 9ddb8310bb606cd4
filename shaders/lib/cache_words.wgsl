// Keys and values of a cache in f16, two channels of which are a word, so that no f16 is wanted of an adapter; see lib/cache_stored.wgsl.
alias Entry = u32;
alias Channels = vec2f;
const ENTRY = 2u;

fn channels(four: vec4f) -> Channels {
  return four.xy;
}

fn channel(x: Channels, i: u32) -> f32 {
  return x[i];
}

fn channels_dot(a: Channels, b: Channels) -> f32 {
  return dot(a, b);
}

fn kept(x: Channels, step: u32) -> Entry {
  return half_bits(x.x) | (half_bits(x.y) << 16u);
}

fn widened(entry: Entry) -> Channels {
  return unpack2x16float(entry);
}

// The nearest f16, ties to even, by whole numbers: of pack2x16float WGSL leaves open which neighbour it takes, and all beyond 65504. From
// 65520 on it is NaN: a key of infinity may score minus infinity, which softmax would leave out.
fn half_bits(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  let magnitude = bits & 0x7fffffffu;
  // below 2^-14 in steps of 2^-24, from there on with 10 bits of 23
  let small = magnitude < 0x38800000u;
  let shift = select(13u, min(126u - (magnitude >> 23u), 25u), small);
  let digits = select(magnitude - 0x38000000u, (magnitude & 0x7fffffu) | 0x800000u, small);
  let even = (digits >> shift) & 1u;
  let half = (digits + (1u << (shift - 1u)) - 1u + even) >> shift;
  // 0x477ff000 is 65520
  return ((bits >> 16u) & 0x8000u) | select(half, 0x7e00u, magnitude >= 0x477ff000u);
}
