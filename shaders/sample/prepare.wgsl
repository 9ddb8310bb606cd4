// scores[b] = logits[b] with the repetition penalty, then the bans of n-grams, of bad words, of an early end and of rows that no token has.
// logits, scores: [B, V]; history: [B, T]; rows: [5, ROW_STRIDE]. A workgroup takes a row. Several invocations may write
// one score, the same value, hence the atomics.

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> settings: array<u32>;
@group(0) @binding(2) var<storage, read> history: array<u32>;
@group(0) @binding(3) var<storage, read> rows: array<u32>;
@group(0) @binding(4) var<storage, read_write> scores: array<atomic<u32>>;

fn set_score(row: u32, id: u32, score: f32) {
  if (id < u.V) { atomicStore(&scores[row * u.V + id], bitcast<u32>(score)); }
}

// Whether history[start .. start + length) and what follows place `at` of the other list are equal.
fn same_history(row: u32, a: u32, b: u32, length: u32) -> bool {
  for (var i = 0u; i < length; i++) {
    if (history[row * u.T + a + i] != history[row * u.T + b + i]) { return false; }
  }
  return true;
}

fn ends_with_word(row: u32, count: u32, word: u32, length: u32) -> bool {
  if (length > count) { return false; }
  for (var i = 0u; i < length; i++) {
    if (history[row * u.T + count - length + i] != settings[word + i]) { return false; }
  }
  return true;
}

@compute @workgroup_size(LANES)
fn prepare(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  // the overhang of a folded grid does the last row again
  let row = min(linear_group(group, groups), u.B - 1u);
  let count = rows[POSITION * u.ROW_STRIDE + row] + 1u;
  for (var id = lane; id < u.V; id += LANES) { set_score(row, id, logits[row * u.V + id]); }
  storageBarrier();

  let penalty = bitcast<f32>(settings[REPETITION_PENALTY]);
  if (penalty != 1.0) {
    for (var t = lane; t < count; t += LANES) {
      let id = min(history[row * u.T + t], u.V - 1u);
      let logit = logits[row * u.V + id];
      set_score(row, id, select(logit / penalty, logit * penalty, logit < 0.0));
    }
  }
  storageBarrier();

  let size = settings[NGRAM_SIZE];
  if (size > 0u && count >= size) {
    for (var t = lane; t + size <= count; t += LANES) {
      if (same_history(row, t, count + 1u - size, size - 1u)) { set_score(row, history[row * u.T + t + size - 1u], BANNED); }
    }
  }
  let ends = settings[ENDS];
  let words = settings[WORDS];
  for (var i = lane; i < words; i += LANES) {
    let word = settings[LISTS + ends + 2u * i];
    let length = settings[LISTS + ends + 2u * i + 1u];
    if (ends_with_word(row, count, word, length - 1u)) { set_score(row, settings[word + length - 1u], BANNED); }
  }
  if (count < rows[LEAST * u.ROW_STRIDE + row]) {
    for (var i = lane; i < ends; i += LANES) { set_score(row, settings[LISTS + i], BANNED); }
  }
  for (var id = min(settings[VOCABULARY], u.V) + lane; id < u.V; id += LANES) { set_score(row, id, BANNED); }
}
