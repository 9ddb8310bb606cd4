// y[b, h] = sum over t <= p of softmax(q . k_t / sqrt(D)) v_t, p = positions[b]; k_p and v_p join the cache first.
// qkv: [B, 3 H D]; table: [B, T], the cache row of each position; keys: [B, H, D, T]; values: [B, H, T, D]; y: [B, H D].
// A workgroup takes a head of a row. Positions come LANES at a time: an invocation scores one of them, then sums one
// channel of the values over every PARTS-th of them, PARTS = LANES / D. `sizes` of the dispatch gives LANES and D.

struct Uniforms {
  H: u32,
  T: u32,
  GROUPS: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

const PARTS = LANES / D;
const SCALE = inverseSqrt(f32(D));

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> keys: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

var<workgroup> query: array<f32, D>;
var<workgroup> scores: array<f32, LANES>;
var<workgroup> cache_rows: array<u32, LANES>;
var<workgroup> parts: array<f32, LANES>;
var<workgroup> last_position: u32;

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
  if (lane < D) {
    let at = row * 3u * u.H * D + head * D + lane;
    query[lane] = qkv[at] * SCALE;
    if (mine) {
      keys[((row * u.H + head) * D + lane) * u.T + p] = qkv[at + u.H * D];
      values[((row * u.H + head) * u.T + p) * D + lane] = qkv[at + 2u * u.H * D];
    }
  }
  storageBarrier();
  workgroupBarrier();

  let channel = lane % D;
  let part = lane / D;
  var highest = -1e30;
  var total = 0.0;
  var sum = 0.0;
  for (var start = 0u; start <= p; start += LANES) {
    let count = min(LANES, p + 1u - start);
    if (lane < count) {
      let t = start + lane;
      let cache_row = select(table[row * u.T + t], row, t == p);
      let at = (cache_row * u.H + head) * D * u.T + t;
      var score = 0.0;
      for (var d = 0u; d < D; d++) { score += query[d] * keys[at + d * u.T]; }
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
      var run = 0.0;
      for (var j = part; j < count; j += PARTS) {
        let weight = exp(scores[j] - highest);
        run_total += weight;
        run += weight * values[((cache_rows[j] * u.H + head) * u.T + start + j) * D + channel];
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
  if (lane < D && mine) {
    var all = 0.0;
    var weights = 0.0;
    for (var i = 0u; i < PARTS; i++) {
      all += parts[i * D + lane];
      weights += scores[i * D + lane];
    }
    y[(row * u.H + head) * D + lane] = all / weights;
  }
}
