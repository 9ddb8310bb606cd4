// halves_rows.wgsl for a b in 8 bits, 8 columns in two words: SHARED numbers side by side, a multiple of 8, are times a step.
@group(0) @binding(1) var<storage, read> b: array<B>;
@group(0) @binding(STEPS) var<storage, read> steps: array<f32>;

fn place_b(start: u32, column: u32) -> vec4u {
  return vec4u(start + min(column, u.N - 8u));
}

fn load_eights(place: vec4u, k: u32) -> Eights {
  let row = u.B_K;
  let at = place.x + k * row + vec4u(0u, row, 2u * row, 3u * row);
  let b0 = b[at.x / 8u];
  let b1 = b[at.y / 8u];
  let b2 = b[at.z / 8u];
  let b3 = b[at.w / 8u];
  let step = vec4f(steps[at.x / SHARED], steps[at.y / SHARED], steps[at.z / SHARED], steps[at.w / SHARED]);
  return Eights(
    mat4x4f(four_times(b0.x, step.x), four_times(b1.x, step.y), four_times(b2.x, step.z), four_times(b3.x, step.w)),
    mat4x4f(four_times(b0.y, step.x), four_times(b1.y, step.y), four_times(b2.y, step.z), four_times(b3.y, step.w)));
}

