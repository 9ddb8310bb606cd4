// A table of whole numbers of 8 bits, four in a word, SHARED of which are times a step. With lib/pack4.wgsl.
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read> steps: array<f32>;

fn table_entry(i: u32) -> Pack {
  return four_times(table[i], steps[4u * i / SHARED]);
}

