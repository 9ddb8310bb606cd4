// 4x4 blocks of b, 4 elements a load: block[j] = b(k + j, column to column + 3).
// N is a multiple of 4; K need not be, what is past it counts as zero.
@group(0) @binding(1) var<storage, read> b: array<vec4f>;

const B_ALONG_K = false;

fn place_b(column: u32) -> vec4u {
  return vec4u((B_START + min(column, N - 4u)) / 4u);
}

fn load_b_row(place: u32, k: u32) -> vec4f {
  if (K % 4u == 0u || k < K) {
    return b[place + k * (B_K / 4u)];
  }
  return vec4f();
}

fn load_b(place: vec4u, k: u32) -> mat4x4f {
  return mat4x4f(
    load_b_row(place.x, k),
    load_b_row(place.x, k + 1u),
    load_b_row(place.x, k + 2u),
    load_b_row(place.x, k + 3u),
  );
}

