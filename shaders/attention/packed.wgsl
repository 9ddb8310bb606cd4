// Which rows and keys count where records lie end to end: row i sees keys from starts[b T + i] on, and starts never fall.

@group(0) @binding(1) var<storage, read> starts: array<u32>;

// every row is some record's
fn length_of(place: Place) -> u32 {
  return T;
}

// the first key that row i sees
fn first_key(place: Place, i: u32) -> u32 {
  return starts[place.b * T + min(i, T - 1u)];
}

// which of the keys j .. j + 3 row i sees, `first` being the first of all
fn seen(i: u32, first: u32, j: u32) -> vec4<bool> {
  return (vec4u(j) + FOUR <= vec4u(i)) & (vec4u(j) + FOUR >= vec4u(first));
}

