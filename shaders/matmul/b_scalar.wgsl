// 4x4 blocks of any b, one element a load, zero outside: block[j] = b(k + j, column to column + 3).
@group(0) @binding(1) var<storage, read> b: array<B>;

fn b_along_k() -> bool {
  return u.B_K == 1u;
}

fn place_b(start: u32, column: u32) -> vec4u {
  return start + min(column + vec4u(0u, 1u, 2u, 3u), vec4u(u.N - 1u)) * u.B_COLUMN;
}

fn load_b_row(place: vec4u, k: u32) -> vec4f {
  if (k < u.K) {
    let at = place + k * u.B_K;
    return vec4f(f32(b[at.x]), f32(b[at.y]), f32(b[at.z]), f32(b[at.w]));
  }
  return vec4f();
}

fn load_b(place: vec4u, k: u32) -> mat4x4f {
  return mat4x4f(load_b_row(place, k), load_b_row(place, k + 1u), load_b_row(place, k + 2u), load_b_row(place, k + 3u));
}

