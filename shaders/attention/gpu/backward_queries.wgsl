// dq_i = sum over keys j <= i of ds_ij k_j / sqrt(D), ds_ij = p_ij (dp_ij - delta_i), dp_ij = dy_i . v_j,
// delta_i = dy_i . y_i (= sum over j of p_ij dp_ij), p_ij recomputed from log_sum_exp; dp_ij takes p_ij's dropout
// qkv, dqkv: [B T, 3 C], of which this writes the q columns; y, dy: [B T, C]; log_sum_exp, delta: [B, H, T].
// LANES invocations take QUERIES neighbouring rows i of a head and go through the keys 4 at a time.

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
const KEYS_DRAWN = 8u * LANES / QUERIES;

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
  for (var start = begin; start < end; start += 4u) {
    let ahead = (start - begin) % KEYS_DRAWN;
    if (DROPS && ahead == 0u) { drawn = draw_queries(row_at(place, first), QUERIES, start / 8u, lane); }
    let bits = drawn >> (ahead / 8u * 8u * QUERIES + ahead % 8u);
    let j = min(vec4u(start) + FOUR, vec4u(u.T - 1u));
    let k_from = vec4u(k_at(place, j.x), k_at(place, j.y), k_at(place, j.z), k_at(place, j.w)) + lane;
    let v_from = k_from + u.H * HEAD_PACKS;

    var s = array<vec4f, QUERIES>();
    var dp = array<vec4f, QUERIES>();
    for (var d = 0u; d < PACKS; d++) {
      let k0 = Pack(qkv[k_from.x + d * LANES]);
      let k1 = Pack(qkv[k_from.y + d * LANES]);
      let k2 = Pack(qkv[k_from.z + d * LANES]);
      let k3 = Pack(qkv[k_from.w + d * LANES]);
      let v0 = Pack(qkv[v_from.x + d * LANES]);
      let v1 = Pack(qkv[v_from.y + d * LANES]);
      let v2 = Pack(qkv[v_from.z + d * LANES]);
      let v3 = Pack(qkv[v_from.w + d * LANES]);
      for (var r = 0u; r < QUERIES; r++) {
        let own = q[r * PACKS + d];
        let out = d_out[r * PACKS + d];
        s[r] += vec4f(pack_dot(own, k0), pack_dot(own, k1), pack_dot(own, k2), pack_dot(own, k3));
        dp[r] += vec4f(pack_dot(out, v0), pack_dot(out, v1), pack_dot(out, v2), pack_dot(out, v3));
      }
    }
    for (var r = 0u; r < QUERIES; r++) {
      let i = first + r;
      let allowed = seen(i, first_key(place.b, i), start);
      let p = select(vec4f(0.0), exp(select(vec4f(LOWEST), lanes_sum_4(s[r]) - norm[r], allowed)), allowed);
      s[r] = p * (keep_4(lanes_sum_4(dp[r]), bits, 8u * r) * kept_scale() - product[r]) * u.SCALE;
    }
    for (var d = 0u; d < PACKS; d++) {
      let k0 = Pack(qkv[k_from.x + d * LANES]);
      let k1 = Pack(qkv[k_from.y + d * LANES]);
      let k2 = Pack(qkv[k_from.z + d * LANES]);
      let k3 = Pack(qkv[k_from.w + d * LANES]);
      for (var r = 0u; r < QUERIES; r++) {
        dq[r * PACKS + d] += s[r].x * k0 + s[r].y * k1 + s[r].z * k2 + s[r].w * k3;
      }
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
