// Which rows and keys count where each sequence is one record; packed.wgsl is for sequences of several.

@group(0) @binding(1) var<storage, read> lengths: array<u32>;

// rows from here on are padding
fn length_of(b: u32) -> u32 {
  return min(lengths[b], u.T);
}

// the first key that row i sees
fn first_key(b: u32, i: u32) -> u32 {
  return 0u;
}

// which of the keys j .. j + 3 row i sees, `first` being the first of all
fn seen(i: u32, first: u32, j: u32) -> vec4<bool> {
  return vec4u(j) + FOUR <= vec4u(i);
}

