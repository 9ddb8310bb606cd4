// One invocation takes a whole row: no workgroup memory and no barriers, which software drivers are slow at.
// lib/row_group.wgsl is the same with a workgroup for each row.
const ROW_WORKGROUP = 16u;
const ROW_SHARE = 1u;

fn row_of(group: u32, local: u32) -> u32 {
  return group * ROW_WORKGROUP + local;
}

fn row_part(local: u32) -> u32 {
  return 0u;
}

// Which invocation writes the row's result.
fn row_leader(local: u32) -> bool {
  return true;
}

fn row_total(value: f32, local: u32) -> f32 {
  return value;
}

fn row_totals(values: vec2f, local: u32) -> vec2f {
  return values;
}

fn row_maximum(value: f32, local: u32) -> f32 {
  return value;
}

