// 4x4 blocks of a transposed b, whose rows lie along k, 4 elements a load: block[j] = b(k + j, column to column + 3).
// Columns past N are read as the last one: their products are never stored. K is a multiple of 4.
@group(0) @binding(1) var<storage, read> b: array<B>;

fn b_along_k() -> bool {
  return true;
}

fn place_b(start: u32, column: u32) -> vec4u {
  return (start + min(column + vec4u(0u, 1u, 2u, 3u), vec4u(u.N - 1u)) * u.B_COLUMN) / 4u;
}

fn load_b(place: vec4u, k: u32) -> mat4x4f {
  let at = place + k / 4u;
  return transpose(mat4x4f(vec4f(b[at.x]), vec4f(b[at.y]), vec4f(b[at.z]), vec4f(b[at.w])));
}

