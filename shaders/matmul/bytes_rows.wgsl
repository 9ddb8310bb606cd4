// b_rows.wgsl for a b in 8 bits, four columns in a word: SHARED numbers side by side, a multiple of 8, are times a step.
@group(0) @binding(1) var<storage, read> b: array<B>;
@group(0) @binding(STEPS) var<storage, read> steps: array<f32>;

fn b_along_k() -> bool {
  return false;
}

fn place_b(start: u32, column: u32) -> vec4u {
  return vec4u(start + min(column, u.N - 4u));
}

fn load_b_row(at: u32, k: u32) -> vec4f {
  if (K_WHOLE || k < u.K) {
    return four_times(b[at / 4u], steps[at / SHARED]);
  }
  return vec4f();
}

fn load_b(place: vec4u, k: u32) -> mat4x4f {
  let at0 = place.x + k * u.B_K;
  let at1 = at0 + u.B_K;
  let at2 = at1 + u.B_K;
  let at3 = at2 + u.B_K;
  return mat4x4f(load_b_row(at0, k), load_b_row(at1, k + 1u), load_b_row(at2, k + 2u), load_b_row(at3, k + 3u));
}

