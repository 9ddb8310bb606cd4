// Keys and values of a cache in f32, an entry of which is a channel: lib/cache_words.wgsl has two of f16 in one, lib/cache_bytes.wgsl four.
alias Entry = f32;
alias Channels = f32;
// channels of an entry
const ENTRY = 1u;

fn channels(four: vec4f) -> Channels {
  return four.x;
}

fn channel(x: Channels, i: u32) -> f32 {
  return x;
}

fn channels_dot(a: Channels, b: Channels) -> f32 {
  return a * b;
}

fn kept(x: Channels, step: u32) -> Entry {
  return x;
}

fn widened(entry: Entry) -> Channels {
  return entry;
}
