// A table of f16 where the adapter has none: two elements are a word. With lib/pack1.wgsl.
@group(0) @binding(1) var<storage, read> table: array<u32>;

fn table_entry(i: u32) -> Pack {
  let both = unpack2x16float(table[i / 2u]);
  return select(both.x, both.y, i % 2u == 1u);
}

