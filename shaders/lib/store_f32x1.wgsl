// What a kernel computed, as it lies in memory: lib/store_f16x1.wgsl and the like are for other types.
alias Stored = f32;

fn stored(value: f32) -> Stored {
  return value;
}

