// Keys and values of a cache as whole numbers of 8 bits, four channels of which are a word, times a step that a head's channels at a
// position share: behind them, its bits. See lib/cache_stored.wgsl, and src/core/quantize.ts for what a step is. With lib/bytes.wgsl.
alias Entry = u32;
alias Channels = vec4f;
const ENTRY = 4u;
const STEPS = true;

// Inverses of steps from 16 to 31 sixteenths.
const INVERSES = array<f32, 16>(
  1.0, 16.0 / 17.0, 16.0 / 18.0, 16.0 / 19.0, 16.0 / 20.0, 16.0 / 21.0, 16.0 / 22.0, 16.0 / 23.0,
  16.0 / 24.0, 16.0 / 25.0, 16.0 / 26.0, 16.0 / 27.0, 16.0 / 28.0, 16.0 / 29.0, 16.0 / 30.0, 16.0 / 31.0,
);

fn channels(four: vec4f) -> Channels {
  return four;
}

fn channel(x: Channels, i: u32) -> f32 {
  return x[i];
}

fn channels_dot(a: Channels, b: Channels) -> f32 {
  return dot(a, b);
}

// How large the largest of them is, as bits: of numbers without a sign they have the same order, and what is not finite comes last.
fn magnitude(x: Channels) -> u32 {
  let bits = bitcast<vec4u>(x) & vec4u(0x7fffffffu);
  return max(max(bits.x, bits.y), max(bits.z, bits.w));
}

// Bits of the step for what is no larger than `highest` has bits; of no number where that is not finite. What is below 2^-100 is zero.
fn step_for(highest: u32) -> u32 {
  // just above 1 / 127
  let exact = bitcast<u32>(bitcast<f32>(clamp(highest, 0x0d800000u, 0x7f7fffffu)) * bitcast<f32>(0x3c010205u));
  return select((exact + 0x7ffffu) & 0xfff80000u, 0x7fc00000u, highest >= 0x7f800000u);
}

fn kept(x: Channels, step: u32) -> Entry {
  let inverse = INVERSES[(step >> 19u) & 15u] * bitcast<f32>((254u - min(step >> 23u, 253u)) << 23u);
  let whole = vec4u(vec4i(round(x * inverse))) & vec4u(255u);
  let word = whole.x | (whole.y << 8u) | (whole.z << 16u) | (whole.w << 24u);
  return select(word, 0u, step == 0x7fc00000u);
}

fn widened(entry: Entry) -> Channels {
  return four_of(entry);
}

fn step_of(bits: Entry) -> f32 {
  return bitcast<f32>(bits);
}
