// Parts of a that 4 neighbouring invocations of a subgroup hold, put together: a 4x4 block of a for each of them.
fn share(part: vec4f) -> mat4x4f {
  return block_of_parts(mat4x4f(
    subgroupBroadcast(part, 0u),
    subgroupBroadcast(part, 1u),
    subgroupBroadcast(part, 2u),
    subgroupBroadcast(part, 3u),
  ));
}

