// 4 neighbours of what a kernel computed, as they lie in memory: see lib/store_f32x1.wgsl.
alias Stored = vec4f;

fn stored(value: vec4f) -> Stored {
  return value;
}

