// A block of a that was asked for.
alias HeldA = mat4x4f;

fn hold_a(block: mat4x4f) -> HeldA {
  return block;
}

fn lines_a(block: HeldA) -> mat4x4f {
  return block;
}
