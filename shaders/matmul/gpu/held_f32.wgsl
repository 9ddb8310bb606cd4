// A block of 4x4 that was asked for.
alias Held = mat4x4f;

fn held(block: mat4x4f) -> Held {
  return block;
}

fn block_of(block: Held) -> mat4x4f {
  return block;
}
