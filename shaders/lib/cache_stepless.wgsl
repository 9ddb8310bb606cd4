// Of a cache whose channels are no multiples of a step, of which lib/cache_bytes.wgsl has one for each head at a position.

// whether a head at a position has a step, in an entry behind its channels
const STEPS = false;

fn magnitude(x: Channels) -> u32 {
  return 0u;
}

fn step_for(highest: u32) -> u32 {
  return 0u;
}

fn step_of(bits: Entry) -> f32 {
  return 1.0;
}
