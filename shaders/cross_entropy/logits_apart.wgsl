// Where backward.wgsl finds the logits: in a buffer of their own. logits_in_place.wgsl has them where dlogits goes.
@group(0) @binding(4) var<storage, read> logits: array<f32>;

fn logit_at(i: u32) -> f32 {
  return logits[i];
}

