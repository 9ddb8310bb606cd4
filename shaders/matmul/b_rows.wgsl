// 4x4 blocks of b, 4 elements a load: block[j] = b(k + j, column to column + 3).
// N is a multiple of 4; K need not be, what is past it counts as zero.
@group(0) @binding(1) var<storage, read> b: array<B>;

fn b_along_k() -> bool {
  return false;
}

fn place_b(start: u32, column: u32) -> vec4u {
  return vec4u((start + min(column, u.N - 4u)) / 4u);
}

fn load_b_row(at: u32, k: u32) -> vec4f {
  if (K_WHOLE || k < u.K) {
    return vec4f(b[at]);
  }
  return vec4f();
}

fn load_b(place: vec4u, k: u32) -> mat4x4f {
  let row = u.B_K / 4u;
  let at0 = place.x + k * row;
  let at1 = at0 + row;
  let at2 = at1 + row;
  let at3 = at2 + row;
  return mat4x4f(load_b_row(at0, k), load_b_row(at1, k + 1u), load_b_row(at2, k + 2u), load_b_row(at3, k + 3u));
}

