// What the attention kernels share: where heads lie in qkv [B T, 3 C] and y [B T, C], of which B sequences are bound, from
// sequence B0 of all on.
// X is the type of what is read of them, Stored of what is written; what is computed is f32.
// D, the size of a head, which arrays in registers have, is put before this file.
struct Uniforms {
  B: u32,
  B0: u32,
  T: u32,
  H: u32,
  SCALE: f32,
  RATE: f32,
  STREAM: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

const PACKS = D / PACK;
// below every score, and finite: the maximum starts here
const LOWEST = -3.0e38;
const FOUR = vec4u(0u, 1u, 2u, 3u);

struct Place {
  b: u32,
  h: u32,
  // the first of the rows that this invocation takes
  first: u32,
}

// Neighbouring invocations take neighbouring rows of one head, so that they load the same keys.
fn place_of(index: u32, rows: u32) -> Place {
  let blocks = (u.T + rows - 1u) / rows;
  let head = index / blocks;
  return Place(u.B0 + head / u.H, head % u.H, select(u.T, index % blocks * rows, head < u.B * u.H));
}

fn q_at(place: Place, i: u32) -> u32 {
  return (((place.b - u.B0) * u.T + i) * 3u * u.H + place.h) * PACKS;
}

fn k_at(place: Place, j: u32) -> u32 {
  return ((((place.b - u.B0) * u.T + j) * 3u + 1u) * u.H + place.h) * PACKS;
}

fn v_at(place: Place, j: u32) -> u32 {
  return ((((place.b - u.B0) * u.T + j) * 3u + 2u) * u.H + place.h) * PACKS;
}

fn y_at(place: Place, i: u32) -> u32 {
  return (((place.b - u.B0) * u.T + i) * u.H + place.h) * PACKS;
}

// where the row's number lies in [B, H, T]
fn row_at(place: Place, i: u32) -> u32 {
  return (place.b * u.H + place.h) * u.T + i;
}

