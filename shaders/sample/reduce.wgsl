// Sums, maxima and the like over a workgroup, in a tree: always in the same order.

var<workgroup> floats: array<f32, LANES>;
var<workgroup> words: array<u32, LANES>;
var<workgroup> places: array<u32, LANES>;

fn maximum_of(value: f32, lane: u32) -> f32 {
  floats[lane] = value;
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (lane < width) { floats[lane] = max(floats[lane], floats[lane + width]); }
  }
  return workgroupUniformLoad(&floats[0]);
}

fn total_of(value: f32, lane: u32) -> f32 {
  floats[lane] = value;
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (lane < width) { floats[lane] += floats[lane + width]; }
  }
  return workgroupUniformLoad(&floats[0]);
}

// A whole number that is larger for a larger float.
fn order_of(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

// The place of the largest word, the first of equals.
fn place_of_maximum(word: u32, place: u32, lane: u32) -> u32 {
  words[lane] = word;
  places[lane] = place;
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (lane < width) {
      let other = lane + width;
      if (words[other] > words[lane] || (words[other] == words[lane] && places[other] < places[lane])) {
        words[lane] = words[other];
        places[lane] = places[other];
      }
    }
  }
  return workgroupUniformLoad(&places[0]);
}
