// b_columns.wgsl for a b in 8 bits, four along k in a word: SHARED numbers side by side, a multiple of 8, are times a step.
@group(0) @binding(1) var<storage, read> b: array<B>;
@group(0) @binding(STEPS) var<storage, read> steps: array<f32>;

fn b_along_k() -> bool {
  return true;
}

fn place_b(start: u32, column: u32) -> vec4u {
  return start + min(column + vec4u(0u, 1u, 2u, 3u), vec4u(u.N - 1u)) * u.B_COLUMN;
}

fn load_b_column(at: u32) -> vec4f {
  return four_times(b[at / 4u], steps[at / SHARED]);
}

fn load_b(place: vec4u, k: u32) -> mat4x4f {
  let at = place + k;
  return transpose(mat4x4f(load_b_column(at.x), load_b_column(at.y), load_b_column(at.z), load_b_column(at.w)));
}

