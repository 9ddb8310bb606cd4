// 4x4 blocks of a transposed a, whose columns lie along its rows, 4 elements a load: block[j] = a(row + j, k to k + 3).
// M is a multiple of 4; K need not be, what is past it counts as zero.
@group(0) @binding(0) var<storage, read> a: array<vec4f>;

const A_ALONG_K = false;

fn place_a(row: u32) -> vec4u {
  return vec4u((A_START + min(row, M - 4u)) / 4u);
}

fn load_a_column(place: u32, k: u32) -> vec4f {
  if (K % 4u == 0u || k < K) {
    return a[place + k * (A_K / 4u)];
  }
  return vec4f();
}

fn load_a(place: vec4u, k: u32) -> mat4x4f {
  return transpose(mat4x4f(
    load_a_column(place.x, k),
    load_a_column(place.x, k + 1u),
    load_a_column(place.x, k + 2u),
    load_a_column(place.x, k + 3u),
  ));
}

