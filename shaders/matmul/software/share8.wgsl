// Parts of a that 8 neighbouring invocations of a subgroup hold, put together: two 4x4 blocks of a for each of them.
fn share_first(part: vec4f) -> mat4x4f {
  return block_of_parts(mat4x4f(
    subgroupBroadcast(part, 0u),
    subgroupBroadcast(part, 1u),
    subgroupBroadcast(part, 2u),
    subgroupBroadcast(part, 3u),
  ));
}

fn share_second(part: vec4f) -> mat4x4f {
  return block_of_parts(mat4x4f(
    subgroupBroadcast(part, 4u),
    subgroupBroadcast(part, 5u),
    subgroupBroadcast(part, 6u),
    subgroupBroadcast(part, 7u),
  ));
}

