// Which rows and keys count where records lie end to end: row i sees keys from starts[b T + i] on, and starts never fall.

@group(0) @binding(1) var<storage, read> starts: array<u32>;

// every row is some record's
fn length_of(b: u32) -> u32 {
  return u.T;
}

// the first key that row i sees
fn first_key(b: u32, i: u32) -> u32 {
  return starts[b * u.T + min(i, u.T - 1u)];
}

// which of the keys j .. j + 3 row i sees, `first` being the first of all
fn seen(i: u32, first: u32, j: u32) -> vec4<bool> {
  return (vec4u(j) + FOUR <= vec4u(i)) & (vec4u(j) + FOUR >= vec4u(first));
}

