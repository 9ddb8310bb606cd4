// dq_i = sum over keys j <= i of ds_ij k_j / sqrt(D), ds_ij = p_ij (dp_ij - delta_i), dp_ij = dy_i . v_j, delta_i = dy_i . y_i
// See backward_queries.wgsl, which has no tiles. A workgroup takes OWN queries of a head and goes through the keys OTHER at a time. Queries
// and what comes back to them take turns in workgroup memory, and are loaded for each tile of keys again.

@group(0) @binding(0) var<storage, read> qkv: array<X>;
// binding 1 is in whole.wgsl or packed.wgsl
// bound to lengths where there is no dropout
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read> y: array<X>;
@group(0) @binding(4) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<X>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Stored>;
@group(0) @binding(7) var<storage, read_write> delta: array<f32>;

const QUERY_BLOCKS = OWN_BLOCKS;
const KEY_BLOCKS = OTHER_BLOCKS;
const WEIGHTS_AT = OWN_AT;

@compute @workgroup_size(WORKGROUP)
fn tile_queries(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let place = tile_place(linear_group(group, groups), true);
  if (place.first >= u.T) { return; }
  let length = length_of(place.b);
  let across = local % ACROSS;
  let down = local / ACROSS;
  let d = local % HEAD_PACKS;

  var norm: Rows;
  var product: Rows;
  for (var b = 0u; b < OWN_HELD; b++) {
    var part = vec4f();
    for (var r = 0u; r < 4u; r++) {
      let i = min(place.first + (down + b * DOWN) * 4u + r, u.T - 1u);
      norm[b][r] = log_sum_exp[row_at(place, i)];
      for (var t = 0u; t < COLUMNS_HELD; t++) {
        let at = y_at(place, i) + across + t * ACROSS;
        part[r] += pack_dot(Pack(dy[at]), Pack(y[at]));
      }
    }
    put_part(part, b, across, down);
  }
  workgroupBarrier();
  for (var b = 0u; b < OWN_HELD; b++) { product[b] = sum_of_parts(b, down); }
  workgroupBarrier();

  var dq = Sums();
  let end = select(0u, min(place.end, length), place.first < length);
  let last_begin = first_key(place.b, place.end - 1u);
  for (var start = first_key(place.b, place.first) / OTHER * OTHER; start < end; start += OTHER) {
    for (var n = 0u; n < OWN / ROWS_LOADED; n += AT_ONCE) {
      var q: Loads;
      for (var l = 0u; l < AT_ONCE; l++) { q[l] = qkv[q_at(place, row_loaded(n + l, place.first, local)) + d]; }
      put_loads(OWN_AT, &q, n, u.SCALE, place.first, length, local);
    }
    for (var n = 0u; n < OTHER / ROWS_LOADED; n += AT_ONCE) {
      var k: Loads;
      for (var l = 0u; l < AT_ONCE; l++) { k[l] = qkv[k_at(place, row_loaded(n + l, start, local)) + d]; }
      put_loads(FIRST_AT, &k, n, 1.0, start, length, local);
    }
    for (var n = 0u; n < OTHER / ROWS_LOADED; n += AT_ONCE) {
      var v: Loads;
      for (var l = 0u; l < AT_ONCE; l++) { v[l] = qkv[v_at(place, row_loaded(n + l, start, local)) + d]; }
      put_loads(SECOND_AT, &v, n, 1.0, start, length, local);
    }
    workgroupBarrier();
    var p: Scores;
    dots(&p, FIRST_AT, across, down);
    if (start + OTHER > place.first + 1u || last_begin > start) {
      for (var b = 0u; b < OWN_HELD; b++) {
        let i = vec4u(place.first + (down + b * DOWN) * 4u) + FOUR;
        let seen_from = vec4u(
          first_key(place.b, i.x), first_key(place.b, i.y), first_key(place.b, i.z), first_key(place.b, i.w));
        for (var t = 0u; t < OTHER_HELD; t++) {
          for (var c = 0u; c < 4u; c++) {
            let j = vec4u(start + (across + t * ACROSS) * 4u + c);
            p[b * OTHER_HELD + t][c] = select(vec4f(LOWEST), p[b * OTHER_HELD + t][c], (j <= i) & (j >= seen_from));
          }
        }
      }
    }
    workgroupBarrier();
    for (var n = 0u; n < OWN / ROWS_LOADED; n += AT_ONCE) {
      var out: Loads;
      for (var l = 0u; l < AT_ONCE; l++) { out[l] = dy[y_at(place, row_loaded(n + l, place.first, local)) + d]; }
      put_loads(OWN_AT, &out, n, 1.0, place.first, length, local);
    }
    workgroupBarrier();
    var dp: Scores;
    dots(&dp, SECOND_AT, across, down);
    workgroupBarrier();
    if (DROPS) {
      draw_tile(row_at(place, place.first), start / 8u, local);
      workgroupBarrier();
    }
    for (var b = 0u; b < OWN_HELD; b++) {
      for (var t = 0u; t < OTHER_HELD; t++) {
        var bits = vec4u();
        if (DROPS) { bits = drawn_for(down + b * DOWN, across + t * ACROSS); }
        for (var c = 0u; c < 4u; c++) {
          let s = p[b * OTHER_HELD + t][c];
          let d_weight = keep_rows(dp[b * OTHER_HELD + t][c], bits, c) * kept_scale();
          p[b * OTHER_HELD + t][c] = select(vec4f(), exp(s - norm[b]), s > vec4f(LOWEST)) * (d_weight - product[b]);
        }
      }
    }
    if (DROPS) { workgroupBarrier(); }
    put_weights(&p, across, down);
    workgroupBarrier();
    weigh(&dq, FIRST_AT, across, down);
    workgroupBarrier();
  }

  for (var b = 0u; b < OWN_HELD; b++) {
    for (var r = 0u; r < 4u; r++) {
      let i = place.first + (down + b * DOWN) * 4u + r;
      if (i >= u.T) { continue; }
      let at = q_at(place, i) + across;
      for (var t = 0u; t < COLUMNS_HELD; t++) {
        dqkv[at + t * ACROSS] = stored(select(Pack(), dq[b * COLUMNS_HELD + t][r] * u.SCALE, i < length));
      }
      if (across == 0u) { delta[row_at(place, i)] = product[b][r]; }
    }
  }
}
