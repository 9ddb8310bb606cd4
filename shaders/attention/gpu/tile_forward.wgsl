// y_i = sum over the keys j <= i of its record of p_ij v_j, p_ij = exp(s_ij - logSumExp_i), s_ij = q_i . k_j / sqrt(D), head by head
// See forward.wgsl, which has no tiles. A workgroup takes OWN queries of a head and goes through the keys OTHER at a time, with the maximum
// and the sum kept online (Milakov & Gimelshein 2018, Dao et al. 2022).

@group(0) @binding(0) var<storage, read> qkv: array<X>;
// binding 1 is in whole.wgsl or packed.wgsl
// bound to lengths where there is no dropout
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Stored>;
@group(0) @binding(4) var<storage, read_write> log_sum_exp: array<f32>;

const QUERY_BLOCKS = OWN_BLOCKS;
const KEY_BLOCKS = OTHER_BLOCKS;
const WEIGHTS_AT = FIRST_AT;

@compute @workgroup_size(WORKGROUP)
fn tile_forward(
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

  for (var n = 0u; n < OWN / ROWS_LOADED; n += AT_ONCE) {
    var q: Loads;
    for (var l = 0u; l < AT_ONCE; l++) { q[l] = qkv[q_at(place, row_loaded(n + l, place.first, local)) + d]; }
    put_loads(OWN_AT, &q, n, u.SCALE, place.first, length, local);
  }
  var sums = Sums();
  var highest: Rows;
  // of an invocation's own keys
  var total: Rows;
  for (var b = 0u; b < OWN_HELD; b++) { highest[b] = vec4f(LOWEST); }

  let end = select(0u, min(place.end, length), place.first < length);
  let last_begin = first_key(place.b, place.end - 1u);
  for (var start = first_key(place.b, place.first) / OTHER * OTHER; start < end; start += OTHER) {
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
    for (var b = 0u; b < OWN_HELD; b++) {
      var top = highest[b];
      for (var t = 0u; t < OTHER_HELD; t++) {
        let s = p[b * OTHER_HELD + t];
        top = max(top, max(max(s[0], s[1]), max(s[2], s[3])));
      }
      put_part(top, b, across, down);
    }
    if (DROPS) { draw_tile(row_at(place, place.first), start / 8u, local); }
    workgroupBarrier();
    for (var b = 0u; b < OWN_HELD; b++) {
      var top = highest[b];
      for (var x = 0u; x < ACROSS; x++) { top = max(top, part_of(b, x, down)); }
      let shrink = exp(highest[b] - top);
      highest[b] = top;
      var sum = vec4f();
      for (var t = 0u; t < OTHER_HELD; t++) {
        var bits = vec4u();
        if (DROPS) { bits = drawn_for(down + b * DOWN, across + t * ACROSS); }
        for (var c = 0u; c < 4u; c++) {
          let s = p[b * OTHER_HELD + t][c];
          let weight = select(vec4f(), exp(s - top), s > vec4f(LOWEST));
          sum += weight;
          p[b * OTHER_HELD + t][c] = keep_rows(weight, bits, c);
        }
      }
      total[b] = total[b] * shrink + sum;
      for (var t = 0u; t < COLUMNS_HELD; t++) {
        for (var r = 0u; r < 4u; r++) { sums[b * COLUMNS_HELD + t][r] *= shrink[r]; }
      }
    }
    workgroupBarrier();
    put_weights(&p, across, down);
    workgroupBarrier();
    weigh(&sums, SECOND_AT, across, down);
    workgroupBarrier();
  }

  // No one reads a tile now, since there is none or the last barrier was behind it.
  for (var b = 0u; b < OWN_HELD; b++) { put_part(total[b], b, across, down); }
  workgroupBarrier();
  for (var b = 0u; b < OWN_HELD; b++) {
    let sum = sum_of_parts(b, down);
    for (var r = 0u; r < 4u; r++) {
      let i = place.first + (down + b * DOWN) * 4u + r;
      if (i >= u.T) { continue; }
      let real = i < length;
      let scale = select(0.0, kept_scale() / sum[r], real);
      let at = y_at(place, i) + across;
      for (var t = 0u; t < COLUMNS_HELD; t++) {
        y[at + t * ACROSS] = stored(select(Pack(), sums[b * COLUMNS_HELD + t][r] * scale, real));
      }
      if (across == 0u) { log_sum_exp[row_at(place, i)] = select(0.0, highest[b][r] + log(sum[r]), real); }
    }
  }
}
