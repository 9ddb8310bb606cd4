// dq_i = sum over keys j <= i of ds_ij k_j / sqrt(D), ds_ij = p_ij (dp_ij - delta_i), dp_ij = dy_i . v_j,
// delta_i = dy_i . y_i (= sum over j of p_ij dp_ij), p_ij recomputed from log_sum_exp; dp_ij takes p_ij's dropout
// qkv, dqkv: [B T, 3 C], of which this writes the q columns; y, dy: [B T, C]; log_sum_exp, delta: [B, H, T].
// LANES invocations take QUERIES neighbouring rows i of a head and go through the keys KEYS_HELD (2 or 4) at a time.

@group(0) @binding(0) var<storage, read> qkv: array<X>;
// binding 1 is in whole.wgsl or packed.wgsl
// bound to lengths where there is no dropout
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read> y: array<X>;
@group(0) @binding(4) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<X>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Stored>;
@group(0) @binding(7) var<storage, read_write> delta: array<f32>;

// for which dropout is drawn at one time
const KEYS_DRAWN = 8u * DRAWERS / QUERIES;

@compute @workgroup_size(WORKGROUP)
fn backward_queries(
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
  var d_out: array<Pack, QUERIES * PACKS>;
  var dq: array<Pack, QUERIES * PACKS>;
  var norm: array<f32, QUERIES>;
  var product: array<f32, QUERIES>;
  for (var r = 0u; r < QUERIES; r++) {
    let i = min(first + r, u.T - 1u);
    let q_from = q_at(place, i) + lane;
    let y_from = y_at(place, i) + lane;
    for (var d = 0u; d < PACKS; d++) {
      q[r * PACKS + d] = Pack(qkv[q_from + d * LANES]) * u.SCALE;
      d_out[r * PACKS + d] = Pack(dy[y_from + d * LANES]);
      product[r] += pack_dot(d_out[r * PACKS + d], Pack(y[y_from + d * LANES]));
    }
    product[r] = lanes_sum(product[r]);
    norm[r] = log_sum_exp[row_at(place, i)];
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
    var dp = array<f32, QUERIES * KEYS_HELD>();
    for (var d = 0u; d < PACKS; d++) {
      for (var j = 0u; j < KEYS_HELD; j++) {
        let k = Pack(qkv[k_from[j] + d * LANES]);
        let v = Pack(qkv[k_from[j] + u.H * HEAD_PACKS + d * LANES]);
        for (var r = 0u; r < QUERIES; r++) {
          s[r * KEYS_HELD + j] += pack_dot(q[r * PACKS + d], k);
          dp[r * KEYS_HELD + j] += pack_dot(d_out[r * PACKS + d], v);
        }
      }
    }
    for (var r = 0u; r < QUERIES; r++) {
      let i = first + r;
      let allowed = seen(i, first_key(place.b, i), start);
      for (var j = 0u; j < KEYS_HELD; j++) {
        let at = r * KEYS_HELD + j;
        let p = select(0.0, exp(select(LOWEST, lanes_sum(s[at]) - norm[r], allowed[j])), allowed[j]);
        s[at] = p * (keep(lanes_sum(dp[at]), bits, 8u * r + j) * kept_scale() - product[r]) * u.SCALE;
      }
    }
    for (var d = 0u; d < PACKS; d++) {
      var sum = array<Pack, QUERIES>();
      for (var j = 0u; j < KEYS_HELD; j++) {
        let k = Pack(qkv[k_from[j] + d * LANES]);
        for (var r = 0u; r < QUERIES; r++) { sum[r] += s[r * KEYS_HELD + j] * k; }
      }
      for (var r = 0u; r < QUERIES; r++) { dq[r * PACKS + d] += sum[r]; }
    }
  }

  for (var r = 0u; r < QUERIES; r++) {
    let i = first + r;
    if (i >= u.T) { continue; }
    let at = q_at(place, i) + lane;
    for (var d = 0u; d < PACKS; d++) { dqkv[at + d * LANES] = stored(select(Pack(), dq[r * PACKS + d], i < length)); }
    if (lane == 0u) { delta[row_at(place, i)] = product[r]; }
  }
}
