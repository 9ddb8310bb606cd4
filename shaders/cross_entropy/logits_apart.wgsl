// Where the gradient finds the logits: in a buffer of their own. logits_in_place.wgsl has them where dlogits goes.
@group(0) @binding(4) var<storage, read> logits: array<Stored>;

fn logit_at(i: u32) -> Pack {
  return Pack(logits[i]);
}

