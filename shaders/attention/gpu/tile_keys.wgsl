// dk_j = sum over rows i >= j of ds_ij q_i / sqrt(D), dv_j = sum over rows i >= j of p_ij dy_i (p_ij after dropout);
// ds_ij and the rest as in tile_queries.wgsl, which has written delta
// See backward_keys.wgsl, which has no tiles. A workgroup takes OWN keys of a head and goes through the queries OTHER at a time. Keys and
// values take turns in workgroup memory, and are loaded for each tile of queries again.

@group(0) @binding(0) var<storage, read> qkv: array<X>;
// binding 1 is in whole.wgsl or packed.wgsl
// bound to lengths where there is no dropout
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<X>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Stored>;

const QUERY_BLOCKS = OTHER_BLOCKS;
const KEY_BLOCKS = OWN_BLOCKS;
const WEIGHTS_AT = OWN_AT;

@compute @workgroup_size(WORKGROUP)
fn tile_keys(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let place = tile_place(linear_group(group, groups), false);
  if (place.first >= u.T) { return; }
  let length = length_of(place.b);
  let across = local % ACROSS;
  let down = local / ACROSS;
  let d = local % HEAD_PACKS;

  var dk = Sums();
  var dv = Sums();
  for (var start = place.first; start < length; start += OTHER) {
    if (first_key(place.b, start) >= place.end) { break; }
    for (var n = 0u; n < OWN / ROWS_LOADED; n += AT_ONCE) {
      var k: Loads;
      for (var l = 0u; l < AT_ONCE; l++) { k[l] = qkv[k_at(place, row_loaded(n + l, place.first, local)) + d]; }
      put_loads(OWN_AT, &k, n, 1.0, place.first, length, local);
    }
    for (var n = 0u; n < OTHER / ROWS_LOADED; n += AT_ONCE) {
      var q: Loads;
      for (var l = 0u; l < AT_ONCE; l++) { q[l] = qkv[q_at(place, row_loaded(n + l, start, local)) + d]; }
      put_loads(FIRST_AT, &q, n, u.SCALE, start, length, local);
    }
    for (var n = 0u; n < OTHER / ROWS_LOADED; n += AT_ONCE) {
      var out: Loads;
      for (var l = 0u; l < AT_ONCE; l++) { out[l] = dy[y_at(place, row_loaded(n + l, start, local)) + d]; }
      put_loads(SECOND_AT, &out, n, 1.0, start, length, local);
    }
    workgroupBarrier();
    var p: Scores;
    dots(&p, FIRST_AT, across, down);
    if (start < place.end || start + OTHER > length || first_key(place.b, start + OTHER - 1u) > place.first) {
      for (var t = 0u; t < OTHER_HELD; t++) {
        for (var c = 0u; c < 4u; c++) {
          let i = start + (across + t * ACROSS) * 4u + c;
          let seen_from = vec4u(select(u.T, first_key(place.b, i), i < length));
          for (var b = 0u; b < OWN_HELD; b++) {
            let j = vec4u(place.first + (down + b * DOWN) * 4u) + FOUR;
            p[b * OTHER_HELD + t][c] = select(vec4f(LOWEST), p[b * OTHER_HELD + t][c], (j <= vec4u(i)) & (j >= seen_from));
          }
        }
      }
    }
    for (var t = 0u; t < OTHER_HELD; t++) {
      for (var c = 0u; c < 4u; c++) {
        let norm = log_sum_exp[row_at(place, min(start + (across + t * ACROSS) * 4u + c, u.T - 1u))];
        for (var b = 0u; b < OWN_HELD; b++) {
          let s = p[b * OTHER_HELD + t][c];
          p[b * OTHER_HELD + t][c] = select(vec4f(), exp(s - norm), s > vec4f(LOWEST));
        }
      }
    }
    workgroupBarrier();
    for (var n = 0u; n < OWN / ROWS_LOADED; n += AT_ONCE) {
      var v: Loads;
      for (var l = 0u; l < AT_ONCE; l++) { v[l] = qkv[v_at(place, row_loaded(n + l, place.first, local)) + d]; }
      put_loads(OWN_AT, &v, n, 1.0, place.first, length, local);
    }
    workgroupBarrier();
    var ds: Scores;
    dots(&ds, SECOND_AT, across, down);
    workgroupBarrier();
    if (DROPS) {
      draw_tile(row_at(place, start), place.first / 8u, local);
      workgroupBarrier();
    }
    for (var t = 0u; t < OTHER_HELD; t++) {
      var product: vec4f;
      for (var c = 0u; c < 4u; c++) {
        product[c] = delta[row_at(place, min(start + (across + t * ACROSS) * 4u + c, u.T - 1u))];
      }
      for (var b = 0u; b < OWN_HELD; b++) {
        var bits = vec4u();
        if (DROPS) { bits = drawn_for(across + t * ACROSS, down + b * DOWN); }
        for (var c = 0u; c < 4u; c++) {
          let weight = p[b * OTHER_HELD + t][c];
          let d_weight = keep_4(ds[b * OTHER_HELD + t][c], bits[c], 0u) * kept_scale();
          ds[b * OTHER_HELD + t][c] = weight * (d_weight - product[c]);
          p[b * OTHER_HELD + t][c] = keep_4(weight, bits[c], 0u);
        }
      }
    }
    if (DROPS) { workgroupBarrier(); }
    put_weights(&p, across, down);
    workgroupBarrier();
    weigh(&dv, SECOND_AT, across, down);
    workgroupBarrier();
    put_weights(&ds, across, down);
    workgroupBarrier();
    weigh(&dk, FIRST_AT, across, down);
    workgroupBarrier();
  }

  for (var b = 0u; b < OWN_HELD; b++) {
    for (var r = 0u; r < 4u; r++) {
      let j = place.first + (down + b * DOWN) * 4u + r;
      if (j >= u.T) { continue; }
      let k_from = k_at(place, j) + across;
      let v_from = v_at(place, j) + across;
      for (var t = 0u; t < COLUMNS_HELD; t++) {
        dqkv[k_from + t * ACROSS] = stored(select(Pack(), dk[b * COLUMNS_HELD + t][r], j < length));
        dqkv[v_from + t * ACROSS] = stored(select(Pack(), dv[b * COLUMNS_HELD + t][r] * kept_scale(), j < length));
      }
    }
  }
}
