// Where the gradient finds the logits: where dlogits goes. logits_apart.wgsl has them in a buffer of their own.
fn logit_at(i: u32) -> Pack {
  return Pack(dlogits[i]);
}

