// y[b, h] = sum over t <= p of softmax(q . k_t / sqrt(D)) v_t, p = positions[b]; k_p and v_p join the cache first.
// qkv: [B, 3 H D]; table: [B, T], the cache row of each position; keys: [B, H, SLOTS, T]; values: [B, H, T, SLOTS]; y: [B, H D].
// An entry of the cache is one channel of a head, two or four: lib/cache_stored.wgsl, lib/cache_words.wgsl, lib/cache_bytes.wgsl. The last
// slot is the step of the head's channels, where they have one.
// A workgroup takes a head of a row. Positions come LANES at a time: an invocation scores one of them, then sums one
// entry of the values over every PARTS-th of them, PARTS = LANES / ENTRIES. `sizes` of the dispatch gives LANES, D and ENTRIES.

struct Uniforms {
  H: u32,
  T: u32,
  GROUPS: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

const PARTS = LANES / ENTRIES;
const SLOTS = ENTRIES + select(0u, 1u, STEPS);
const SCALE = inverseSqrt(f32(D));

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> keys: array<Entry>;
@group(0) @binding(4) var<storage, read_write> values: array<Entry>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

var<workgroup> query: array<Channels, ENTRIES>;
var<workgroup> scores: array<f32, LANES>;
var<workgroup> cache_rows: array<u32, LANES>;
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
  if (lane < ENTRIES) { cache_rows[lane] = magnitude(own); }
  workgroupBarrier();
  var highest = 0u;
  for (var e = 0u; e < ENTRIES; e++) { highest = max(highest, cache_rows[e]); }
  workgroupBarrier();
  return step_for(highest);
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
  var steps = vec2u(0u);
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
    if (lane < count) {
      let t = start + lane;
      let cache_row = select(table[row * u.T + t], row, t == p);
      let at = (cache_row * u.H + head) * SLOTS * u.T + t;
      var score = 0.0;
      for (var e = 0u; e < ENTRIES; e++) { score += channels_dot(query[e], widened(keys[at + e * u.T])); }
      if (STEPS) { score *= step_of(keys[at + ENTRIES * u.T]); }
      scores[lane] = score;
      cache_rows[lane] = cache_row;
    }
    workgroupBarrier();
    var next = highest;
    for (var j = 0u; j < count; j++) { next = max(next, scores[j]); }
    let shrink = exp(highest - next);
    total *= shrink;
    sum *= shrink;
    highest = next;
    if (part < PARTS) {
      // what LANES positions add, apart from what came before: fewer roundings in a row
      var run_total = 0.0;
      var run = Channels(0.0);
      for (var j = part; j < count; j += PARTS) {
        let weight = exp(scores[j] - highest);
        run_total += weight;
        let at = ((cache_rows[j] * u.H + head) * u.T + start + j) * SLOTS;
        var share = weight;
        if (STEPS) { share *= step_of(values[at + ENTRIES]); }
        run += share * widened(values[at + entry]);
      }
      total += run_total;
      sum += run;
    }
    workgroupBarrier();
  }

  // every part has its own share of the sum and of the weights
  parts[lane] = sum;
  scores[lane] = total;
  workgroupBarrier();
  if (lane < ENTRIES && mine) {
    var all = Channels(0.0);
    var weights = 0.0;
    for (var i = 0u; i < PARTS; i++) {
      all += parts[i * ENTRIES + lane];
      weights += scores[i * ENTRIES + lane];
    }
    let mean = all / weights;
    let first = (row * u.H + head) * D + ENTRY * lane;
    y[first] = channel(mean, 0u);
    for (var i = 1u; i < ENTRY; i++) {
      if (ENTRY * lane + i < D) { y[first + i] = channel(mean, i); }
    }
  }
}
