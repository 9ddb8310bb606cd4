// 4x4 blocks of any a, one element a load, zero outside: block[j] = a(row + j, k to k + 3).
@group(0) @binding(0) var<storage, read> a: array<A>;

fn a_along_k() -> bool {
  return u.A_K == 1u;
}

fn place_a(start: u32, row: u32) -> vec4u {
  return start + min(row + vec4u(0u, 1u, 2u, 3u), vec4u(u.M - 1u)) * u.A_ROW;
}

fn load_a_element(place: u32, k: u32) -> f32 {
  if (k < u.K) {
    return f32(a[place + k * u.A_K]);
  }
  return 0.0;
}

fn load_a_row(place: u32, k: u32) -> vec4f {
  return vec4f(
    load_a_element(place, k),
    load_a_element(place, k + 1u),
    load_a_element(place, k + 2u),
    load_a_element(place, k + 3u),
  );
}

fn load_a(place: vec4u, k: u32) -> mat4x4f {
  return mat4x4f(load_a_row(place.x, k), load_a_row(place.y, k), load_a_row(place.z, k), load_a_row(place.w, k));
}

