// Blocks of a b of f16 whose rows are multiples of 8 elements, 8 columns a load: low[j] = b(k + j, column to column + 3), high[j] = those
// behind. Columns past N are read as the last ones: their products are never stored. K is a multiple of 4.
@group(0) @binding(1) var<storage, read> b: array<B>;

fn place_b(start: u32, column: u32) -> vec4u {
  return vec4u((start + min(column, u.N - 8u)) / 8u);
}

fn load_eights(place: vec4u, k: u32) -> Eights {
  let row = u.B_K / 8u;
  let at = place.x + k * row;
  let b0 = b[at];
  let b1 = b[at + row];
  let b2 = b[at + 2u * row];
  let b3 = b[at + 3u * row];
  return Eights(
    mat4x4f(widened(b0.xy), widened(b1.xy), widened(b2.xy), widened(b3.xy)),
    mat4x4f(widened(b0.zw), widened(b1.zw), widened(b2.zw), widened(b3.zw)));
}

