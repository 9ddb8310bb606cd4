// A table that is read as it is stored. TABLE is its type.
@group(0) @binding(1) var<storage, read> table: array<TABLE>;

fn table_entry(i: u32) -> Pack {
  return Pack(table[i]);
}

