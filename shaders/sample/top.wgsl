// The TOP likeliest tokens that may follow each row that is not finished, the likeliest first, and their log-probabilities under
// softmax(logits). Each is the best of those behind the one before it: of lower logits, or of the same and a higher id.
// logits: [B, V]; rows: [5, ROW_STRIDE]; ids, log_probabilities: [B, T TOP], at the place of the next token. A workgroup takes a row.

struct Uniforms {
  B: u32,
  V: u32,
  T: u32,
  TOP: u32,
  ROW_STRIDE: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> rows: array<u32>;
@group(0) @binding(2) var<storage, read_write> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> log_probabilities: array<f32>;

// Columns of the rows' state, as in common.wgsl.
const POSITION = 1u;
const FINISHED = 2u;

const LEAST_FLOAT = -3e38;

var<workgroup> state: vec2u;

@compute @workgroup_size(LANES)
fn top_tokens(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = linear_group(group, groups);
  if (row >= u.B) {
    return;
  }
  if (lane == 0u) { state = vec2u(rows[FINISHED * u.ROW_STRIDE + row], rows[POSITION * u.ROW_STRIDE + row]); }
  let before = workgroupUniformLoad(&state);
  if (before.x != 0u) {
    return;
  }
  let first = row * u.V;
  let place = (row * u.T + before.y + 1u) * u.TOP;

  var highest = LEAST_FLOAT;
  for (var id = lane; id < u.V; id += LANES) { highest = max(highest, logits[first + id]); }
  let top = maximum_of(highest, lane);
  var sum = Sum();
  for (var begin = lane; begin < u.V; begin += RUN * LANES) {
    var run = 0.0;
    let end = min(begin + RUN * LANES, u.V);
    for (var id = begin; id < end; id += LANES) { run += exp(logits[first + id] - top); }
    add_run(&sum, run);
  }
  let log_sum = log(total_of(sum_of(sum), lane));

  var last = u.V;
  var last_order = 0u;
  for (var n = 0u; n < u.TOP; n++) {
    var best = u.V;
    var best_order = 0u;
    for (var id = lane; id < u.V; id += LANES) {
      let order = order_of(logits[first + id]);
      let behind = n == 0u || order < last_order || (order == last_order && id > last);
      if (behind && (best == u.V || order > best_order)) {
        best = id;
        best_order = order;
      }
    }
    last = min(place_of_maximum(best_order, best, lane), u.V - 1u);
    let logit = logits[first + last];
    last_order = order_of(logit);
    if (lane == 0u) {
      ids[place + n] = last;
      // measured from the maximum: of large logits, log_sum plus it would have lost digits
      log_probabilities[place + n] = (logit - top) - log_sum;
    }
  }
}
