// 4x4 blocks of a transposed a, whose columns lie along its rows, 4 elements a load: block[j] = a(row + j, k to k + 3).
// Rows of a have as many elements as M rounded up to a multiple of 4; K need not be one, what is past it counts as zero.
@group(0) @binding(0) var<storage, read> a: array<A>;

fn a_along_k() -> bool {
  return false;
}

fn place_a(start: u32, row: u32) -> vec4u {
  return vec4u((start + min(row, (u.M - 1u) / 4u * 4u)) / 4u);
}

fn load_a_column(at: u32, k: u32) -> vec4f {
  if (K_WHOLE || k < u.K) {
    return vec4f(a[at]);
  }
  return vec4f();
}

fn load_a(place: vec4u, k: u32) -> mat4x4f {
  let row = u.A_K / 4u;
  let at0 = place.x + k * row;
  let at1 = at0 + row;
  let at2 = at1 + row;
  let at3 = at2 + row;
  return transpose(mat4x4f(
    load_a_column(at0, k), load_a_column(at1, k + 1u), load_a_column(at2, k + 2u), load_a_column(at3, k + 3u)));
}

