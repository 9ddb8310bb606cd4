// a is multiplied as it is. normalized_a.wgsl has the same for an a that is normalised on the way.

fn prepare(start: u32, row: u32, local: u32) {}

fn prepared_row(four: vec4f, k: u32, row: u32) -> vec4f {
  return four;
}

fn prepared(block: mat4x4f, k: u32, row: u32) -> mat4x4f {
  return block;
}
