// y[b, h] = sum over t <= p of softmax(q . k_t / sqrt(D)) v_t, p = positions[b]; k_p and v_p join the cache first.
// qkv: [B, 3 H D]; table: [B, T], the cache row of each position; keys: [B, H, SLOTS, T]; values: [B, H, T, SLOTS]; y: [B, H D].
// An entry of the cache is one channel of a head, two or four: lib/cache_stored.wgsl, lib/cache_words.wgsl, lib/cache_bytes.wgsl. The last
// slot is the step of the head's channels, where they have one.
// A workgroup takes a head of a row. Positions come LANES at a time: an invocation scores one of them, then sums one
// entry of the values over every PARTS-th of them, PARTS = LANES / ENTRIES. `sizes` of the dispatch gives D, ENTRIES, LANES and SPANS, in as
// many of which all invocations' numbers are looked through at a time.

struct Uniforms {
  H: u32,
  T: u32,
  GROUPS: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

const PARTS = LANES / ENTRIES;
const SPAN = LANES / SPANS;
const SLOTS = ENTRIES + select(0u, 1u, STEPS);
const SCALE = inverseSqrt(f32(D));

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> keys: array<Entry>;
@group(0) @binding(4) var<storage, read_write> values: array<Entry>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

var<workgroup> query: array<Channels, ENTRIES>;
// scores, then weights
var<workgroup> numbers: array<f32, LANES>;
var<workgroup> of_spans: array<f32, SPANS>;
// where the value of a position begins
var<workgroup> places: array<u32, LANES>;
var<workgroup> parts: array<Channels, LANES>;
var<workgroup> last_position: u32;

// An entry of qkv whose first channel is at `at`; past D there is nothing.
fn channels_at(at: u32, entry: u32) -> Channels {
  var four = vec4f(qkv[at], 0.0, 0.0, 0.0);
  for (var i = 1u; i < ENTRY; i++) {
    if (ENTRY * entry + i < D) { four[i] = qkv[at + i]; }
  }
  return channels(four);
}

// The step for entries of which each of the first ENTRIES invocations has one.
fn common_step(lane: u32, own: Channels) -> u32 {
  if (lane < ENTRIES) { places[lane] = magnitude(own); }
  workgroupBarrier();
  var highest = 0u;
  for (var e = 0u; e < ENTRIES; e++) { highest = max(highest, places[e]); }
  workgroupBarrier();
  return step_for(highest);
}

// The largest of all invocations' numbers.
fn largest(lane: u32, own: f32) -> f32 {
  numbers[lane] = own;
  workgroupBarrier();
  if (lane < SPANS) {
    var highest = numbers[lane];
    for (var i = 1u; i < SPAN; i++) { highest = max(highest, numbers[i * SPANS + lane]); }
    of_spans[lane] = highest;
  }
  workgroupBarrier();
  var highest = of_spans[0];
  for (var i = 1u; i < SPANS; i++) { highest = max(highest, of_spans[i]); }
  return highest;
}

// The sum of all invocations' numbers.
fn sum_of(lane: u32, own: f32) -> f32 {
  numbers[lane] = own;
  workgroupBarrier();
  if (lane < SPANS) {
    var sum = 0.0;
    for (var i = 0u; i < SPAN; i++) { sum += numbers[i * SPANS + lane]; }
    of_spans[lane] = sum;
  }
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < SPANS; i++) { sum += of_spans[i]; }
  return sum;
}

@compute @workgroup_size(LANES)
fn cached_attention(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = linear_group(group, groups);
  // the overhang of a folded grid computes the last one again, where a barrier forbids an early return
  let row = min(number, u.GROUPS - 1u) / u.H;
  let head = min(number, u.GROUPS - 1u) % u.H;
  let mine = number < u.GROUPS;
  if (lane == 0u) { last_position = min(positions[row], u.T - 1u); }
  let p = workgroupUniformLoad(&last_position);
  let at = row * 3u * u.H * D + head * D + ENTRY * min(lane, ENTRIES - 1u);
  let own_key = channels_at(at + u.H * D, lane);
  let own_value = channels_at(at + 2u * u.H * D, lane);
  var steps: vec2u;
  if (STEPS) { steps = vec2u(common_step(lane, own_key), common_step(lane, own_value)); }
  let own_keys = (row * u.H + head) * SLOTS * u.T + p;
  let own_values = ((row * u.H + head) * u.T + p) * SLOTS;
  if (lane < ENTRIES) {
    query[lane] = channels_at(at, lane) * SCALE;
    if (mine) {
      keys[own_keys + lane * u.T] = kept(own_key, steps.x);
      values[own_values + lane] = kept(own_value, steps.y);
    }
  }
  if (STEPS && lane == 0u && mine) {
    keys[own_keys + ENTRIES * u.T] = Entry(steps.x);
    values[own_values + ENTRIES] = Entry(steps.y);
  }
  storageBarrier();
  workgroupBarrier();

  let entry = lane % ENTRIES;
  let part = lane / ENTRIES;
  var highest = -1e30;
  var total = 0.0;
  var sum = Channels(0.0);
  for (var start = 0u; start <= p; start += LANES) {
    let count = min(LANES, p + 1u - start);
    var score = -1e30;
    var step = 1.0;
    if (lane < count) {
      let t = start + lane;
      let cache_row = select(table[row * u.T + t], row, t == p);
      let at = (cache_row * u.H + head) * SLOTS * u.T + t;
      score = 0.0;
      for (var e = 0u; e < ENTRIES; e++) { score += channels_dot(query[e], widened(keys[at + e * u.T])); }
      let place = ((cache_row * u.H + head) * u.T + t) * SLOTS;
      places[lane] = place;
      if (STEPS) {
        score *= step_of(keys[at + ENTRIES * u.T]);
        step = step_of(values[place + ENTRIES]);
      }
    }
    let next = max(highest, largest(lane, score));
    let weight = select(0.0, exp(score - next), lane < count);
    numbers[lane] = weight * step;
    let shrink = exp(highest - next);
    total = total * shrink + weight;
    sum *= shrink;
    highest = next;
    workgroupBarrier();
    if (part < PARTS) {
      // what LANES positions add, apart from what came before: fewer roundings in a row
      var run = Channels(0.0);
      var j = part;
      // four are asked for before the first is waited for
      for (; j + 3u * PARTS < count; j += 4u * PARTS) {
        let first = values[places[j] + entry];
        let second = values[places[j + PARTS] + entry];
        let third = values[places[j + 2u * PARTS] + entry];
        let fourth = values[places[j + 3u * PARTS] + entry];
        run += numbers[j] * widened(first);
        run += numbers[j + PARTS] * widened(second);
        run += numbers[j + 2u * PARTS] * widened(third);
        run += numbers[j + 3u * PARTS] * widened(fourth);
      }
      for (; j < count; j += PARTS) { run += numbers[j] * widened(values[places[j] + entry]); }
      sum += run;
    }
    workgroupBarrier();
  }

  // every part has its own share of the sum, every invocation of the weights
  parts[lane] = sum;
  let weights = sum_of(lane, total);
  if (lane < ENTRIES && mine) {
    var all = Channels(0.0);
    for (var i = 0u; i < PARTS; i++) { all += parts[i * ENTRIES + lane]; }
    let mean = all / weights;
    let first = (row * u.H + head) * D + ENTRY * lane;
    y[first] = channel(mean, 0u);
    for (var i = 1u; i < ENTRY; i++) {
      if (ENTRY * lane + i < D) { y[first + i] = channel(mean, i); }
    }
  }
}
