// y[b, h] = sum over t <= p of softmax(q . k_t / sqrt(D)) v_t, p = positions[b]; k_p and v_p join the cache first.
// qkv: [B, 3 H D]; table: [B, T], the cache row of each position; keys: [B, H, ENTRIES, T]; values: [B, H, T, ENTRIES]; y: [B, H D].
// An entry of the cache is one channel of a head or two: lib/cache_stored.wgsl, lib/cache_words.wgsl.
// A workgroup takes a head of a row. Positions come LANES at a time: an invocation scores one of them, then sums one
// entry of the values over every PARTS-th of them, PARTS = LANES / ENTRIES. `sizes` of the dispatch gives LANES, D and ENTRIES.

struct Uniforms {
  H: u32,
  T: u32,
  GROUPS: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

const PARTS = LANES / ENTRIES;
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

// An entry of qkv whose first channel is at `at`; past an odd D there is nothing.
fn channels_at(at: u32, entry: u32) -> Channels {
  var second = 0.0;
  if (ENTRY == 2u && ENTRY * entry + 1u < D) { second = qkv[at + 1u]; }
  return channels(qkv[at], second);
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
  if (lane < ENTRIES) {
    let at = row * 3u * u.H * D + head * D + ENTRY * lane;
    query[lane] = channels_at(at, lane) * SCALE;
    if (mine) {
      keys[((row * u.H + head) * ENTRIES + lane) * u.T + p] = kept(channels_at(at + u.H * D, lane));
      values[((row * u.H + head) * u.T + p) * ENTRIES + lane] = kept(channels_at(at + 2u * u.H * D, lane));
    }
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
      let at = (cache_row * u.H + head) * ENTRIES * u.T + t;
      var score = 0.0;
      for (var e = 0u; e < ENTRIES; e++) { score += channels_dot(query[e], widened(keys[at + e * u.T])); }
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
        run += weight * widened(values[((cache_rows[j] * u.H + head) * u.T + start + j) * ENTRIES + entry]);
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
    let at = (row * u.H + head) * D + ENTRY * lane;
    y[at] = channel(mean, 0u);
    if (ENTRY == 2u && ENTRY * lane + 1u < D) { y[at + 1u] = channel(mean, 1u); }
  }
}
