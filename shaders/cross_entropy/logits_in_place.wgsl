// Where backward.wgsl finds the logits: where dlogits goes. logits_apart.wgsl has them in a buffer of their own.
fn logit_at(i: u32) -> f32 {
  return f32(dlogits[i]);
}

