// What an invocation sees of its subgroup, 11 numbers each: how many that has; what its neighbours in the row and in the column of
// its quad say; what the first 8 of its subgroup say. What they say is their place in the workgroup, of WORKGROUP invocations.

const NUMBERS = 11u;

@group(0) @binding(0) var<storage, read_write> seen: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn look(@builtin(local_invocation_index) local: u32, @builtin(subgroup_size) size: u32) {
  let at = local * NUMBERS;
  seen[at] = size;
  seen[at + 1u] = quadSwapX(local);
  seen[at + 2u] = quadSwapY(local);
  seen[at + 3u] = subgroupBroadcast(local, 0u);
  seen[at + 4u] = subgroupBroadcast(local, 1u);
  seen[at + 5u] = subgroupBroadcast(local, 2u);
  seen[at + 6u] = subgroupBroadcast(local, 3u);
  seen[at + 7u] = subgroupBroadcast(local, 4u);
  seen[at + 8u] = subgroupBroadcast(local, 5u);
  seen[at + 9u] = subgroupBroadcast(local, 6u);
  seen[at + 10u] = subgroupBroadcast(local, 7u);
}
