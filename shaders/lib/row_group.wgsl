// A workgroup takes a row: invocation `row_part` of it sums each ROW_SHARE-th Pack, `row_total` adds the parts in a
// tree, always in the same order. lib/row_alone.wgsl is the same with one invocation for each row. ROW_LANES, a power of 2, is
// the dispatch's.
const ROW_WORKGROUP = ROW_LANES;
const ROW_SHARE = ROW_LANES;

var<workgroup> row_parts: array<f32, ROW_WORKGROUP>;

fn row_of(group: u32, local: u32) -> u32 {
  return group;
}

fn row_part(local: u32) -> u32 {
  return local;
}

// Which invocation writes the row's result.
fn row_leader(local: u32) -> bool {
  return local == 0u;
}

fn row_total(value: f32, local: u32) -> f32 {
  row_parts[local] = value;
  for (var width = ROW_WORKGROUP / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (local < width) { row_parts[local] += row_parts[local + width]; }
  }
  return workgroupUniformLoad(&row_parts[0]);
}

// Two such sums in one tree.
var<workgroup> row_pairs: array<vec2f, ROW_WORKGROUP>;

fn row_totals(values: vec2f, local: u32) -> vec2f {
  row_pairs[local] = values;
  for (var width = ROW_WORKGROUP / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (local < width) { row_pairs[local] += row_pairs[local + width]; }
  }
  return workgroupUniformLoad(&row_pairs[0]);
}

fn row_maximum(value: f32, local: u32) -> f32 {
  row_parts[local] = value;
  for (var width = ROW_WORKGROUP / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (local < width) { row_parts[local] = max(row_parts[local], row_parts[local + width]); }
  }
  return workgroupUniformLoad(&row_parts[0]);
}

