// y_i = sum over the keys j <= i of its record of p_ij v_j, p_ij = exp(s_ij - logSumExp_i), s_ij = q_i . k_j / sqrt(D), head by head
// qkv: [B T, 3 C], a row is q | k | v, head h at columns h D ..; y: [B T, C]; log_sum_exp: [B, H, T]; lengths: [B].
// LANES invocations take QUERIES neighbouring rows i of a head and go through the keys 4 at a time, with the maximum
// and the sum kept online (Milakov & Gimelshein 2018, Dao et al. 2022): scores never leave registers.
// Rows at positions >= lengths[b] give 0; keys there lie behind every row that counts.

@group(0) @binding(0) var<storage, read> qkv: array<X>;
// binding 1 is in whole.wgsl or packed.wgsl
// bound to lengths where there is no dropout
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Stored>;
@group(0) @binding(4) var<storage, read_write> log_sum_exp: array<f32>;

// for which dropout is drawn at one time
const KEYS_DRAWN = 8u * LANES / QUERIES;

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
  for (var start = begin; start < end; start += 4u) {
    let ahead = (start - begin) % KEYS_DRAWN;
    if (DROPS && ahead == 0u) { drawn = draw_queries(row_at(place, first), QUERIES, start / 8u, lane); }
    let bits = drawn >> (ahead / 8u * 8u * QUERIES + ahead % 8u);
    let j = min(vec4u(start) + FOUR, vec4u(u.T - 1u));
    let k_from = vec4u(k_at(place, j.x), k_at(place, j.y), k_at(place, j.z), k_at(place, j.w)) + lane;
    let v_from = k_from + u.H * HEAD_PACKS;

    var s = array<vec4f, QUERIES>();
    for (var d = 0u; d < PACKS; d++) {
      let k0 = Pack(qkv[k_from.x + d * LANES]);
      let k1 = Pack(qkv[k_from.y + d * LANES]);
      let k2 = Pack(qkv[k_from.z + d * LANES]);
      let k3 = Pack(qkv[k_from.w + d * LANES]);
      for (var r = 0u; r < QUERIES; r++) {
        let own = q[r * PACKS + d];
        s[r] += vec4f(pack_dot(own, k0), pack_dot(own, k1), pack_dot(own, k2), pack_dot(own, k3));
      }
    }
    for (var r = 0u; r < QUERIES; r++) {
      let i = first + r;
      let allowed = seen(i, first_key(place.b, i), start);
      let masked = select(vec4f(LOWEST), lanes_sum_4(s[r]), allowed);
      let top = max(highest[r], max(max(masked.x, masked.y), max(masked.z, masked.w)));
      let p = select(vec4f(0.0), exp(masked - top), allowed);
      let shrink = exp(highest[r] - top);
      highest[r] = top;
      total[r] = total[r] * shrink + (p.x + p.y) + (p.z + p.w);
      for (var d = 0u; d < PACKS; d++) { sum[r * PACKS + d] *= shrink; }
      s[r] = keep_4(p, bits, 8u * r);
    }
    for (var d = 0u; d < PACKS; d++) {
      let v0 = Pack(qkv[v_from.x + d * LANES]);
      let v1 = Pack(qkv[v_from.y + d * LANES]);
      let v2 = Pack(qkv[v_from.z + d * LANES]);
      let v3 = Pack(qkv[v_from.w + d * LANES]);
      for (var r = 0u; r < QUERIES; r++) {
        sum[r * PACKS + d] += s[r].x * v0 + s[r].y * v1 + s[r].z * v2 + s[r].w * v3;
      }
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
