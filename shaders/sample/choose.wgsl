// The next token of each row: the best score, or one drawn from softmax(scores / temperature) over what top-k, top-p and
// min-p leave, each a least score that a radix search finds. Probabilities are whole numbers of 2^-31, so that their sums
// depend on no order. logits, scores: [B, V]; history, log_probabilities: [B, T]; rows: [5, ROW_STRIDE].
// A workgroup takes a row.

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> scores: array<f32>;
@group(0) @binding(2) var<storage, read> settings: array<u32>;
@group(0) @binding(3) var<storage, read_write> history: array<u32>;
@group(0) @binding(4) var<storage, read_write> rows: array<u32>;
@group(0) @binding(5) var<storage, read_write> log_probabilities: array<f32>;

const BINS = 256u;
const UNIT = 2147483648.0;

const ENDED = 1u;
const FULL = 2u;
const CONTEXT_FULL = 3u;
const ALL_BANNED = 4u;
const NOT_FINITE = 5u;

var<workgroup> bins: array<atomic<u32>, BINS>;
var<workgroup> found: u32;
var<workgroup> found_above: u32;
var<workgroup> state: vec2u;
var<workgroup> maxima: array<vec3f, LANES>;

fn maxima_of(values: vec3f, lane: u32) -> vec3f {
  maxima[lane] = values;
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (lane < width) { maxima[lane] = max(maxima[lane], maxima[lane + width]); }
  }
  return workgroupUniformLoad(&maxima[0]);
}

// The score of an id as sampling sees it.
fn scaled(row: u32, id: u32) -> f32 {
  let score = scores[row * u.V + id];
  return select(score / bitcast<f32>(settings[TEMPERATURE]), BANNED, score < BARRED);
}

fn weight_of(score: f32, top: f32) -> f32 {
  return select(exp(score - top), 0.0, score < BARRED);
}

fn share_of(score: f32, top: f32, unit: f32) -> u32 {
  return u32(weight_of(score, top) * unit + 0.5);
}

// UNIT over the sum of the weights of the scores whose order is at least `least`.
fn unit_of(row: u32, least: u32, top: f32, lane: u32) -> f32 {
  var sum = Sum();
  for (var begin = lane; begin < u.V; begin += RUN * LANES) {
    var run = 0.0;
    let end = min(begin + RUN * LANES, u.V);
    for (var id = begin; id < end; id += LANES) {
      let score = scaled(row, id);
      if (order_of(score) >= least) { run += weight_of(score, top); }
    }
    add_run(&sum, run);
  }
  return UNIT / total_of(sum_of(sum), lane);
}

// The largest order such that the scores of at least that order reach `wanted`: in number, or in shares where unit > 0.
// Eight bits at a time, from the highest.
fn threshold(row: u32, least: u32, top: f32, unit: f32, wanted: u32, lane: u32) -> u32 {
  var prefix = 0u;
  var above = 0u;
  for (var step = 0u; step < 4u; step++) {
    let shift = 24u - 8u * step;
    for (var bin = lane; bin < BINS; bin += LANES) { atomicStore(&bins[bin], 0u); }
    workgroupBarrier();
    for (var id = lane; id < u.V; id += LANES) {
      let score = scaled(row, id);
      let order = order_of(score);
      if (order < least || (step > 0u && (order >> (shift + 8u)) != prefix)) { continue; }
      var amount = 1u;
      if (unit > 0.0) { amount = share_of(score, top, unit); }
      atomicAdd(&bins[(order >> shift) & 0xffu], amount);
    }
    workgroupBarrier();
    if (lane == 0u) {
      var digit = BINS - 1u;
      while (digit > 0u && above + atomicLoad(&bins[digit]) < wanted) {
        above += atomicLoad(&bins[digit]);
        digit--;
      }
      found = (prefix << 8u) | digit;
      found_above = above;
    }
    prefix = workgroupUniformLoad(&found);
    above = workgroupUniformLoad(&found_above);
  }
  return max(prefix, least);
}

// The id at `word` / 2^32 of the cumulative shares of the scores whose order is at least `least`.
fn draw(row: u32, least: u32, top: f32, unit: f32, word: u32, lane: u32) -> u32 {
  let stretch = (u.V + LANES - 1u) / LANES;
  var mine = 0u;
  for (var i = 0u; i < stretch; i++) {
    let id = lane * stretch + i;
    if (id < u.V) {
      let score = scaled(row, id);
      if (order_of(score) >= least) { mine += share_of(score, top, unit); }
    }
  }
  words[lane] = mine;
  workgroupBarrier();
  if (lane == 0u) {
    var total = 0u;
    for (var i = 0u; i < LANES; i++) { total += words[i]; }
    var left = philox_multiply_high(word, total);
    var owner = 0u;
    while (owner < LANES - 1u && left >= words[owner]) {
      left -= words[owner];
      owner++;
    }
    found = owner;
    found_above = left;
  }
  let first = workgroupUniformLoad(&found) * stretch;
  var left = workgroupUniformLoad(&found_above);
  var chosen = u.V;
  for (var start = 0u; start < stretch; start += LANES) {
    let id = first + start + lane;
    var share = 0u;
    if (start + lane < stretch && id < u.V) {
      let score = scaled(row, id);
      if (order_of(score) >= least) { share = share_of(score, top, unit); }
    }
    words[lane] = share;
    workgroupBarrier();
    if (lane == 0u && chosen == u.V) {
      for (var i = 0u; i < LANES && chosen == u.V; i++) {
        if (left < words[i]) { chosen = first + start + i; } else { left -= words[i]; }
      }
    }
    workgroupBarrier();
  }
  if (lane == 0u) { found = chosen; }
  return workgroupUniformLoad(&found);
}

fn best(row: u32, lane: u32) -> u32 {
  var place = u.V;
  var order = 0u;
  for (var id = lane; id < u.V; id += LANES) {
    let mine = order_of(scores[row * u.V + id]);
    if (place == u.V || mine > order) {
      order = mine;
      place = id;
    }
  }
  return place_of_maximum(order, place, lane);
}

// `allowed`: the best score. Top-k and top-p are turns of one loop, and what is left is shared out in a third, so that what they
// have in common is there once when a compiler has put each function where it is called.
fn sampled(row: u32, count: u32, allowed: f32, lane: u32) -> u32 {
  let top = allowed / bitcast<f32>(settings[TEMPERATURE]);
  let top_k = settings[TOP_K];
  let top_p = bitcast<f32>(settings[TOP_P]);
  let log_min_p = bitcast<f32>(settings[LOG_MIN_P]);
  var least = 0u;
  var unit = 0.0;
  for (var turn = 0u; turn < 3u; turn++) {
    if ((turn == 0u && (top_k == 0u || top_k >= u.V)) || (turn == 1u && top_p >= 1.0)) { continue; }
    if (turn == 2u && log_min_p > BARRED) { least = max(least, order_of(top + log_min_p)); }
    if (turn > 0u) { unit = unit_of(row, least, top, lane); }
    if (turn < 2u) {
      least = threshold(row, least, top, unit, select(max(1u, u32(top_p * UNIT)), top_k, turn == 0u), lane);
    }
  }
  let key = vec2u(settings[SEED_LOW], settings[SEED_HIGH]);
  let word = philox(vec4u(count, settings[FIRST_ROW] + row, STREAM, 0u), key).x;
  return draw(row, least, top, unit, word, lane);
}

@compute @workgroup_size(LANES)
fn choose(
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
  let count = before.y + 1u;

  // Of the logits, of the scores, and 1 where a logit is not finite.
  var highest = vec3f(BANNED, BANNED, 0.0);
  for (var id = lane; id < u.V; id += LANES) {
    let logit = logits[row * u.V + id];
    if (is_bad(bitcast<u32>(logit))) { highest.z = 1.0; } else { highest.x = max(highest.x, logit); }
    highest.y = max(highest.y, scores[row * u.V + id]);
  }
  let best_of = maxima_of(highest, lane);
  let top = best_of.x;
  if (best_of.z > 0.0) {
    if (lane == 0u) { rows[FINISHED * u.ROW_STRIDE + row] = NOT_FINITE; }
    return;
  }
  if (best_of.y < BARRED) {
    if (lane == 0u) { rows[FINISHED * u.ROW_STRIDE + row] = ALL_BANNED; }
    return;
  }
  var sum = Sum();
  for (var begin = lane; begin < u.V; begin += RUN * LANES) {
    var run = 0.0;
    let end = min(begin + RUN * LANES, u.V);
    for (var id = begin; id < end; id += LANES) { run += exp(logits[row * u.V + id] - top); }
    add_run(&sum, run);
  }
  let log_sum = log(total_of(sum_of(sum), lane));

  var id = 0u;
  if (settings[DO_SAMPLE] != 0u) { id = sampled(row, count, best_of.y, lane); } else { id = best(row, lane); }
  if (lane == 0u) {
    history[row * u.T + count] = id;
    // measured from the maximum: of large logits, log_sum plus it would have lost digits
    log_probabilities[row * u.T + count] = (logits[row * u.V + id] - top) - log_sum;
    rows[TOKEN * u.ROW_STRIDE + row] = id;
    rows[POSITION * u.ROW_STRIDE + row] = count;
    var finished = select(0u, CONTEXT_FULL, count + 1u >= u.T);
    if (count + 1u >= rows[MOST * u.ROW_STRIDE + row]) { finished = FULL; }
    for (var i = 0u; i < settings[ENDS]; i++) {
      if (settings[LISTS + i] == id) { finished = ENDED; }
    }
    rows[FINISHED * u.ROW_STRIDE + row] = finished;
  }
}
