// dk_j = sum over rows i >= j of ds_ij q_i / sqrt(D), dv_j = sum over rows i >= j of p_ij dy_i (p_ij after dropout);
// ds_ij and the rest as in backward_queries.wgsl, which has written delta
// qkv, dqkv: [B T, 3 C], of which this writes the k and v columns; dy: [B T, C]; log_sum_exp, delta: [B, H, T].
// LANES invocations take KEYS neighbouring keys j of a head (1, 2 or 4) and go through the rows one at a time. Dropout is drawn by
// all of a workgroup, for as many rows ahead as there are invocations for eight of its keys.

@group(0) @binding(0) var<storage, read> qkv: array<X>;
// binding 1 is in whole.wgsl or packed.wgsl
// bound to lengths where there is no dropout
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<X>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Stored>;

const KEY_OCTS = WORKGROUP / LANES * KEYS / 8u;
const ROWS_DRAWN = WORKGROUP / KEY_OCTS;

// which of eight keys row place.first + i keeps, twice ROWS_DRAWN of them in turn: [i % (2 ROWS_DRAWN), KEY_OCTS]
var<workgroup> drawn: array<u32, 2u * WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn backward_keys(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let place = place_of(linear_group(group, groups), KEYS);
  if (place.first >= u.T) { return; }
  let length = length_of(place.b);
  let first = place.first + local / LANES * KEYS;
  let lane = local % LANES;

  var k: array<Pack, KEYS * PACKS>;
  var v: array<Pack, KEYS * PACKS>;
  var dk: array<Pack, KEYS * PACKS>;
  var dv: array<Pack, KEYS * PACKS>;
  for (var r = 0u; r < KEYS; r++) {
    let j = min(first + r, u.T - 1u);
    let k_from = k_at(place, j) + lane;
    let v_from = v_at(place, j) + lane;
    for (var d = 0u; d < PACKS; d++) {
      k[r * PACKS + d] = Pack(qkv[k_from + d * LANES]) * u.SCALE;
      v[r * PACKS + d] = Pack(qkv[v_from + d * LANES]);
    }
  }

  for (var i = place.first; i < length; i++) {
    let seen_from = first_key(place.b, i);
    if (seen_from >= place.end) { break; }
    let turn = (i - place.first) % (2u * ROWS_DRAWN);
    var bits = 0u;
    if (DROPS) {
      // Those who are late still read the other half: one barrier is enough.
      if (turn % ROWS_DRAWN == 0u) {
        let row = row_at(place, i + local / KEY_OCTS);
        drawn[turn * KEY_OCTS + local] = kept_bits(row, place.first / 8u + local % KEY_OCTS);
        workgroupBarrier();
      }
      bits = drawn[turn * KEY_OCTS + (first - place.first) / 8u] >> (first % 8u);
    }
    let q_from = q_at(place, i) + lane;
    let y_from = y_at(place, i) + lane;
    var s = array<f32, KEYS>();
    var dp = array<f32, KEYS>();
    for (var d = 0u; d < PACKS; d++) {
      let q = Pack(qkv[q_from + d * LANES]);
      let out = Pack(dy[y_from + d * LANES]);
      for (var r = 0u; r < KEYS; r++) {
        s[r] += pack_dot(q, k[r * PACKS + d]);
        dp[r] += pack_dot(out, v[r * PACKS + d]);
      }
    }
    let norm = log_sum_exp[row_at(place, i)];
    let product = delta[row_at(place, i)];
    for (var r = 0u; r < KEYS; r++) {
      let allowed = first + r >= seen_from && first + r <= i;
      let p = select(0.0, exp(select(LOWEST, lanes_sum(s[r]) - norm, allowed)), allowed);
      s[r] = p * (keep(lanes_sum(dp[r]), bits, r) * kept_scale() - product) * u.SCALE;
      dp[r] = keep(p, bits, r);
    }
    for (var d = 0u; d < PACKS; d++) {
      let q = Pack(qkv[q_from + d * LANES]);
      let out = Pack(dy[y_from + d * LANES]);
      for (var r = 0u; r < KEYS; r++) {
        dk[r * PACKS + d] += s[r] * q;
        dv[r * PACKS + d] += dp[r] * out;
      }
    }
  }

  for (var r = 0u; r < KEYS; r++) {
    let j = first + r;
    if (j >= u.T) { continue; }
    let k_from = k_at(place, j) + lane;
    let v_from = v_at(place, j) + lane;
    for (var d = 0u; d < PACKS; d++) {
      dqkv[k_from + d * LANES] = stored(select(Pack(), dk[r * PACKS + d], j < length));
      dqkv[v_from + d * LANES] = stored(select(Pack(), dv[r * PACKS + d] * kept_scale(), j < length));
    }
  }
}
