// Sums down columns by a workgroup of 256 that has 8 neighbouring columns, of Packs (lib/pack4.wgsl or lib/pack1.wgsl goes before this
// file): COLUMN_LANES invocations side by side, which read what one access to memory brings anyhow, and ROW_LANES of them below each
// other, of which each takes every ROW_LANES-th row.
const GROUP = 256u;
const COLUMN_LANES = 8u / PACK;
const ROW_LANES = GROUP / COLUMN_LANES;

var<workgroup> column_parts: array<Pack, 256>;

// What all below each other have summed, in the first of them; always in the same order.
fn column_total(part: Pack, local: u32) -> Pack {
  workgroupBarrier();
  column_parts[local] = part;
  for (var width = ROW_LANES / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (local < width * COLUMN_LANES) { column_parts[local] += column_parts[local + width * COLUMN_LANES]; }
  }
  return column_parts[local];
}

