// y_i = sum over the keys j <= i of its record of p_ij v_j, p_ij = exp(s_ij - logSumExp_i), s_ij = q_i . k_j / sqrt(D), head by head
// qkv: [B T, 3 C], a row is q | k | v, head h at columns h D ..; y: [B T, C]; log_sum_exp: [B, H, T]; lengths: [B].
// LANES invocations take QUERIES neighbouring rows i of a head and go through the keys KEYS_HELD (2 or 4) at a time, with the maximum
// and the sum kept online (Milakov & Gimelshein 2018, Dao et al. 2022): scores never leave registers.
// Rows at positions >= lengths[b] give 0; keys there lie behind every row that counts.

@group(0) @binding(0) var<storage, read> qkv: array<X>;
// binding 1 is in whole.wgsl or packed.wgsl
// bound to lengths where there is no dropout
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Stored>;
@group(0) @binding(4) var<storage, read_write> log_sum_exp: array<f32>;

// for which dropout is drawn at one time
const KEYS_DRAWN = 8u * DRAWERS / QUERIES;

@compute @workgroup_size(WORKGROUP)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let place = place_of(linear_group(group, groups), QUERIES);
  if (place.first >= u.T) { return; }
  let length = length_of(place.b);
  let first = place.first + local / LANES * QUERIES;
  let lane = local % LANES;

  var q: array<Pack, QUERIES * PACKS>;
  var sum: array<Pack, QUERIES * PACKS>;
  var highest: array<f32, QUERIES>;
  var total: array<f32, QUERIES>;
  for (var r = 0u; r < QUERIES; r++) {
    let at = q_at(place, min(first + r, u.T - 1u)) + lane;
    for (var d = 0u; d < PACKS; d++) { q[r * PACKS + d] = Pack(qkv[at + d * LANES]) * u.SCALE; }
    highest[r] = LOWEST;
  }

  let end = select(0u, min(place.end, length), place.first < length);
  let begin = first_key(place.b, place.first) / 8u * 8u;
  var drawn = 0u;
  for (var start = begin; start < end; start += KEYS_HELD) {
    let ahead = (start - begin) % KEYS_DRAWN;
    if (DROPS && ahead == 0u) { drawn = draw_queries(row_at(place, first), QUERIES, start / 8u, lane); }
    let bits = drawn >> (ahead / 8u * 8u * QUERIES + ahead % 8u);
    var k_from: array<u32, KEYS_HELD>;
    for (var j = 0u; j < KEYS_HELD; j++) { k_from[j] = k_at(place, min(start + j, u.T - 1u)) + lane; }

    var s = array<f32, QUERIES * KEYS_HELD>();
    for (var d = 0u; d < PACKS; d++) {
      for (var j = 0u; j < KEYS_HELD; j++) {
        let k = Pack(qkv[k_from[j] + d * LANES]);
        for (var r = 0u; r < QUERIES; r++) { s[r * KEYS_HELD + j] += pack_dot(q[r * PACKS + d], k); }
      }
    }
    for (var r = 0u; r < QUERIES; r++) {
      let i = first + r;
      let allowed = seen(i, first_key(place.b, i), start);
      var top = highest[r];
      for (var j = 0u; j < KEYS_HELD; j++) {
        let at = r * KEYS_HELD + j;
        s[at] = select(LOWEST, lanes_sum(s[at]), allowed[j]);
        top = max(top, s[at]);
      }
      let shrink = exp(highest[r] - top);
      highest[r] = top;
      var sum_p = 0.0;
      for (var j = 0u; j < KEYS_HELD; j++) {
        let at = r * KEYS_HELD + j;
        let p = select(0.0, exp(s[at] - top), allowed[j]);
        sum_p += p;
        s[at] = keep(p, bits, 8u * r + j);
      }
      total[r] = total[r] * shrink + sum_p;
      for (var d = 0u; d < PACKS; d++) { sum[r * PACKS + d] *= shrink; }
    }
    for (var d = 0u; d < PACKS; d++) {
      var weighed = array<Pack, QUERIES>();
      for (var j = 0u; j < KEYS_HELD; j++) {
        let v = Pack(qkv[k_from[j] + u.H * HEAD_PACKS + d * LANES]);
        for (var r = 0u; r < QUERIES; r++) { weighed[r] += s[r * KEYS_HELD + j] * v; }
      }
      for (var r = 0u; r < QUERIES; r++) { sum[r * PACKS + d] += weighed[r]; }
    }
  }

  for (var r = 0u; r < QUERIES; r++) {
    let i = first + r;
    if (i >= u.T) { continue; }
    let at = y_at(place, i) + lane;
    if (i < length) {
      for (var d = 0u; d < PACKS; d++) { y[at + d * LANES] = stored(sum[r * PACKS + d] * kept_scale() / total[r]); }
      if (lane == 0u) { log_sum_exp[row_at(place, i)] = highest[r] + log(total[r]); }
    } else {
      for (var d = 0u; d < PACKS; d++) { y[at + d * LANES] = stored(Pack()); }
      if (lane == 0u) { log_sum_exp[row_at(place, i)] = 0.0; }
    }
  }
}
