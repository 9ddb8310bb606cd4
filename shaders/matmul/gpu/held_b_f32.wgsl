// A block of b that was asked for.
alias HeldB = mat4x4f;

fn hold_b(block: mat4x4f) -> HeldB {
  return block;
}

fn lines_b(block: HeldB) -> mat4x4f {
  return block;
}
