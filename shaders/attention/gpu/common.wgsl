// What the attention kernels share: where heads lie in qkv [B T, 3 C] and y [B T, C], of which B sequences are bound, from
// sequence B0 of all on.
// X is the type of what is read of them, Stored of what is written; what is computed is f32.
// D, the size of a head, which arrays in registers have, and WORKGROUP are put before this file; LANES invocations share a row
// (lane_alone.wgsl, lane_quad.wgsl): each has every LANES-th Pack of it.
struct Uniforms {
  B: u32,
  B0: u32,
  T: u32,
  H: u32,
  SCALE: f32,
  DROPPED: u32,
  KEPT: f32,
  STREAM: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

const HEAD_PACKS = D / PACK;
const PACKS = HEAD_PACKS / LANES;
// below every score, and finite: the maximum starts here
const LOWEST = -3.0e38;
const FOUR = vec4u(0u, 1u, 2u, 3u);

// The rows that a workgroup takes, all of one head: its invocations go through the same keys, so that they load the same ones and
// may ask each other for sums.
struct Place {
  b: u32,
  h: u32,
  first: u32,
  end: u32,
}

// `rows`: that LANES invocations take. No rows for the overhang of a folded grid.
fn place_of(group: u32, rows: u32) -> Place {
  let together = WORKGROUP / LANES * rows;
  let blocks = (u.T + together - 1u) / together;
  let head = group / blocks;
  let first = select(u.T, group % blocks * together, head < u.B * u.H);
  return Place(u.B0 + head / u.H, head % u.H, first, first + together);
}

fn q_at(place: Place, i: u32) -> u32 {
  return (((place.b - u.B0) * u.T + i) * 3u * u.H + place.h) * HEAD_PACKS;
}

fn k_at(place: Place, j: u32) -> u32 {
  return ((((place.b - u.B0) * u.T + j) * 3u + 1u) * u.H + place.h) * HEAD_PACKS;
}

fn v_at(place: Place, j: u32) -> u32 {
  return ((((place.b - u.B0) * u.T + j) * 3u + 2u) * u.H + place.h) * HEAD_PACKS;
}

fn y_at(place: Place, i: u32) -> u32 {
  return (((place.b - u.B0) * u.T + i) * u.H + place.h) * HEAD_PACKS;
}

// where the row's number lies in [B, H, T]
fn row_at(place: Place, i: u32) -> u32 {
  return (place.b * u.H + place.h) * u.T + i;
}

