// Blocks of a transposed b of f16, whose rows lie along k, 8 of them a load: low[j] = b(k + j, column to column + 3), high[j] the same from k + 4 on.
// Columns past N are read as the last one: their products are never stored. K is a multiple of 8.
@group(0) @binding(1) var<storage, read> b: array<B>;

fn place_b(start: u32, column: u32) -> vec4u {
  return (start + min(column + vec4u(0u, 1u, 2u, 3u), vec4u(u.N - 1u)) * u.B_COLUMN) / 8u;
}

fn load_eights(place: vec4u, k: u32) -> Eights {
  let at = place + k / 8u;
  let b0 = b[at.x];
  let b1 = b[at.y];
  let b2 = b[at.z];
  let b3 = b[at.w];
  return Eights(
    transpose(mat4x4f(widened(b0.xy), widened(b1.xy), widened(b2.xy), widened(b3.xy))),
    transpose(mat4x4f(widened(b0.zw), widened(b1.zw), widened(b2.zw), widened(b3.zw))));
}

