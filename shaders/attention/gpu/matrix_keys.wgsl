// What backward_keys.wgsl computes, on matrix units: see matrix_common.wgsl. Units hold keys, queries stream by; the rows of what is
// multiplied are keys: k q^T and v dy^T, p^T dy and ds^T q.
// ds is f16 when it is multiplied, times a power of 2 of the workgroup: matrix_queries.wgsl has left the largest of each row, and from
// the largest of them all, 2^14, there are 28 powers of 2 down to where f16 loses digits. p is f16 times 2^P_POWER.

@group(0) @binding(0) var<storage, read> qkv: array<X>;
// binding 1 is in whole.wgsl or packed.wgsl
// bound to lengths where there is no dropout
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<X>;
// [B, H, T, 2]
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Stored>;

const P_SCALE = 4096.0;
const PEAK_POWER = 13;

var<workgroup> slopes: array<array<f32, SIDE * PITCH>, UNITS * STEPS>;
var<workgroup> probabilities: array<array<f16, SIDE * HALF_PITCH>, UNITS * STEPS>;
// of the largest ds
var<workgroup> peak_bits: atomic<u32>;

fn first_at(place: Place, row: u32) -> u32 {
  return q_at(place, row);
}

fn second_at(place: Place, row: u32) -> u32 {
  return y_at(place, row);
}

fn first_4(at: u32) -> X {
  return qkv[at];
}

fn second_4(at: u32) -> X {
  return dy[at];
}

fn held_a_4(at: u32) -> X {
  return qkv[at];
}

fn held_b_4(at: u32) -> X {
  return qkv[at];
}

fn probability(matrix: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&probabilities[matrix], 0u, HALF_PITCH);
}

// Stores `factor` times block b of the columns of dk or dv, which is at `at` in the row. All of the workgroup calls it.
fn finish(sum: Sum, b: u32, unit: u32, local: u32, place: Place, length: u32, at: u32, factor: f32) {
  if (unit < UNITS) { put_score(sum, unit * STEPS); }
  workgroupBarrier();
  let nominal = place.first + local / 32u * SIDE;
  for (var part = 0u; part < 2u; part++) {
    let row = row_of(local) + 8u * part;
    let j = within(nominal) + row;
    let four = put_4(local, row) * factor;
    let from_column = q_at(place, j) + at * u.H * D + b * SIDE;
    if (j >= nominal) { dqkv[from_column / 4u + local % 4u] = stored(select(vec4f(), four, j < length)); }
  }
  workgroupBarrier();
}

@compute @workgroup_size(WORKGROUP)
fn backward_keys(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) unit: u32,
) {
  let place = matrix_place(linear_group(group, groups), false);
  if (place.first >= u.T) { return; }
  let length = length_of(place.b);
  // of the subgroup, which multiplies
  let held = place.first + unit * SIDE;
  let wanted = unit < UNITS && held < length;
  // of the invocation, which takes rows as all of them lie in the workgroup
  let unit_rows = local / 32u;
  let nominal = place.first + unit_rows * SIDE;
  let row = row_of(local);

  let own_k = k_at(place, within(nominal));
  let unit_k = k_at(place, within(held));
  let own_v = v_at(place, within(nominal));
  let unit_v = v_at(place, within(held));
  let k0 = held_a(own_k, unit_k, 3u * u.H * D, 0u, unit, local);
  var k1: Left;
  if (BLOCKS > 1u) { k1 = held_a(own_k, unit_k, 3u * u.H * D, 1u % BLOCKS, unit, local); }
  var k2: Left;
  if (BLOCKS > 2u) { k2 = held_a(own_k, unit_k, 3u * u.H * D, 2u % BLOCKS, unit, local); }
  var k3: Left;
  if (BLOCKS > 3u) { k3 = held_a(own_k, unit_k, 3u * u.H * D, 3u % BLOCKS, unit, local); }
  var k4: Left;
  if (BLOCKS > 4u) { k4 = held_a(own_k, unit_k, 3u * u.H * D, 4u % BLOCKS, unit, local); }
  var k5: Left;
  if (BLOCKS > 5u) { k5 = held_a(own_k, unit_k, 3u * u.H * D, 5u % BLOCKS, unit, local); }
  var k6: Left;
  if (BLOCKS > 6u) { k6 = held_a(own_k, unit_k, 3u * u.H * D, 6u % BLOCKS, unit, local); }
  var k7: Left;
  if (BLOCKS > 7u) { k7 = held_a(own_k, unit_k, 3u * u.H * D, 7u % BLOCKS, unit, local); }
  let v0 = held_b(own_v, unit_v, 3u * u.H * D, 0u, unit, local);
  var v1: Left;
  if (BLOCKS > 1u) { v1 = held_b(own_v, unit_v, 3u * u.H * D, 1u % BLOCKS, unit, local); }
  var v2: Left;
  if (BLOCKS > 2u) { v2 = held_b(own_v, unit_v, 3u * u.H * D, 2u % BLOCKS, unit, local); }
  var v3: Left;
  if (BLOCKS > 3u) { v3 = held_b(own_v, unit_v, 3u * u.H * D, 3u % BLOCKS, unit, local); }
  var v4: Left;
  if (BLOCKS > 4u) { v4 = held_b(own_v, unit_v, 3u * u.H * D, 4u % BLOCKS, unit, local); }
  var v5: Left;
  if (BLOCKS > 5u) { v5 = held_b(own_v, unit_v, 3u * u.H * D, 5u % BLOCKS, unit, local); }
  var v6: Left;
  if (BLOCKS > 6u) { v6 = held_b(own_v, unit_v, 3u * u.H * D, 6u % BLOCKS, unit, local); }
  var v7: Left;
  if (BLOCKS > 7u) { v7 = held_b(own_v, unit_v, 3u * u.H * D, 7u % BLOCKS, unit, local); }
  var dk0 = Sum();
  var dk1 = Sum();
  var dk2 = Sum();
  var dk3 = Sum();
  var dk4 = Sum();
  var dk5 = Sum();
  var dk6 = Sum();
  var dk7 = Sum();
  var dv0 = Sum();
  var dv1 = Sum();
  var dv2 = Sum();
  var dv3 = Sum();
  var dv4 = Sum();
  var dv5 = Sum();
  var dv6 = Sum();
  var dv7 = Sum();

  var largest = 0.0;
  for (var i = place.first + local; i < length; i += WORKGROUP) { largest = max(largest, delta[2u * row_at(place, i) + 1u]); }
  atomicMax(&peak_bits, bitcast<u32>(largest));
  if (place.first < length) { stage(place, 0u, place.first, unit, local, fetch(place, place.first, local)); }
  workgroupBarrier();
  let factor = factor_for(bitcast<f32>(atomicLoad(&peak_bits)), PEAK_POWER);
  var turn = 0u;
  for (var start = place.first; start < length; start += TILE) {
    if (first_key(place.b, start) >= place.end) { break; }
    let seen = wanted && start + TILE > held;
    if (seen) {
      for (var n = 0u; n < STEPS; n++) {
        let i = within(start + n * SIDE);
        var s = Sum();
        s = subgroupMatrixMultiplyAccumulate(k0, first_columns(place, turn, n, i, 0u), s);
        if (BLOCKS > 1u) { s = subgroupMatrixMultiplyAccumulate(k1, first_columns(place, turn, n, i, 1u % BLOCKS), s); }
        if (BLOCKS > 2u) { s = subgroupMatrixMultiplyAccumulate(k2, first_columns(place, turn, n, i, 2u % BLOCKS), s); }
        if (BLOCKS > 3u) { s = subgroupMatrixMultiplyAccumulate(k3, first_columns(place, turn, n, i, 3u % BLOCKS), s); }
        if (BLOCKS > 4u) { s = subgroupMatrixMultiplyAccumulate(k4, first_columns(place, turn, n, i, 4u % BLOCKS), s); }
        if (BLOCKS > 5u) { s = subgroupMatrixMultiplyAccumulate(k5, first_columns(place, turn, n, i, 5u % BLOCKS), s); }
        if (BLOCKS > 6u) { s = subgroupMatrixMultiplyAccumulate(k6, first_columns(place, turn, n, i, 6u % BLOCKS), s); }
        if (BLOCKS > 7u) { s = subgroupMatrixMultiplyAccumulate(k7, first_columns(place, turn, n, i, 7u % BLOCKS), s); }
        put_score(s, unit * STEPS + n);
        var dp = Sum();
        dp = subgroupMatrixMultiplyAccumulate(v0, second_columns(place, turn, n, i, 0u), dp);
        if (BLOCKS > 1u) { dp = subgroupMatrixMultiplyAccumulate(v1, second_columns(place, turn, n, i, 1u % BLOCKS), dp); }
        if (BLOCKS > 2u) { dp = subgroupMatrixMultiplyAccumulate(v2, second_columns(place, turn, n, i, 2u % BLOCKS), dp); }
        if (BLOCKS > 3u) { dp = subgroupMatrixMultiplyAccumulate(v3, second_columns(place, turn, n, i, 3u % BLOCKS), dp); }
        if (BLOCKS > 4u) { dp = subgroupMatrixMultiplyAccumulate(v4, second_columns(place, turn, n, i, 4u % BLOCKS), dp); }
        if (BLOCKS > 5u) { dp = subgroupMatrixMultiplyAccumulate(v5, second_columns(place, turn, n, i, 5u % BLOCKS), dp); }
        if (BLOCKS > 6u) { dp = subgroupMatrixMultiplyAccumulate(v6, second_columns(place, turn, n, i, 6u % BLOCKS), dp); }
        if (BLOCKS > 7u) { dp = subgroupMatrixMultiplyAccumulate(v7, second_columns(place, turn, n, i, 7u % BLOCKS), dp); }
        subgroupMatrixStore<row_major>(&slopes[unit * STEPS + n], 0u, dp, PITCH);
      }
    }
    if (DROPS) {
      for (var d = 0u; d < DRAWS; d++) {
        let word = (local + d * WORKGROUP) / 2u;
        let i = within(start + word % TILE / SIDE * SIDE) + word % SIDE;
        draw(word, row_at(place, i), (place.first + word / TILE * SIDE) / 8u, local);
      }
    }
    // asked for before the scores are worked on, put after
    let ahead = fetch(place, start + TILE, local);
    workgroupBarrier();
    if (nominal < length && start + TILE > nominal) {
      for (var n = 0u; n < STEPS; n++) {
        let i = columns_from(within(start + n * SIDE), local);
        let counts = (i >= vec4u(start + n * SIDE)) & (i < vec4u(length));
        let at_row = row_at(place, 0u);
        let norm = vec4f(log_sum_exp[at_row + i.x], log_sum_exp[at_row + i.y], log_sum_exp[at_row + i.z], log_sum_exp[at_row + i.w]);
        let at_delta = 2u * (vec4u(at_row) + i);
        let product = vec4f(delta[at_delta.x], delta[at_delta.y], delta[at_delta.z], delta[at_delta.w]);
        let first = vec4u(first_key(place.b, i.x), first_key(place.b, i.y), first_key(place.b, i.z), first_key(place.b, i.w));
        let drawn_at = unit_rows * TILE + n * SIDE + local % 4u;
        for (var h = 0u; h < 2u; h++) {
          let j = within(nominal) + row + 8u * h;
          let allowed = counts & (vec4u(j) <= i) & (vec4u(j) >= first);
          let matrix = unit_rows * STEPS + n;
          let s = score_4(matrix, row + 8u * h, local) * u.SCALE - norm;
          var p = select(vec4f(), exp(select(vec4f(LOWEST), s, allowed)), allowed);
          let at = (row + 8u * h) * PITCH + local % 4u;
          var dp = vec4f(slopes[matrix][at], slopes[matrix][at + 4u], slopes[matrix][at + 8u], slopes[matrix][at + 12u]);
          let whole = p;
          if (DROPS) {
            let bit = (j - nominal) & 15u;
            let bits = vec4u(drawn[drawn_at], drawn[drawn_at + 4u], drawn[drawn_at + 8u], drawn[drawn_at + 12u]);
            p = vec4f(keep(p.x, bits.x, bit), keep(p.y, bits.y, bit), keep(p.z, bits.z, bit), keep(p.w, bits.w, bit));
            dp = vec4f(keep(dp.x, bits.x, bit), keep(dp.y, bits.y, bit), keep(dp.z, bits.z, bit), keep(dp.w, bits.w, bit));
          }
          let ds = select(vec4f(), whole * (dp * kept_scale() - product) * u.SCALE, allowed);
          put_half(matrix, row + 8u * h, local, stored(ds * factor));
          let half_p = stored(p * P_SCALE);
          let to = (row + 8u * h) * HALF_PITCH + local % 4u;
          probabilities[matrix][to] = half_p.x;
          probabilities[matrix][to + 4u] = half_p.y;
          probabilities[matrix][to + 8u] = half_p.z;
          probabilities[matrix][to + 12u] = half_p.w;
        }
      }
    }
    if (start + TILE < length) { stage(place, 1u - turn, start + TILE, unit, local, ahead); }
    workgroupBarrier();
    if (seen) {
      for (var n = 0u; n < STEPS; n++) {
        let i = within(start + n * SIDE);
        let p = probability(unit * STEPS + n);
        dv0 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, i, 0u), dv0);
        if (BLOCKS > 1u) { dv1 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, i, 1u % BLOCKS), dv1); }
        if (BLOCKS > 2u) { dv2 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, i, 2u % BLOCKS), dv2); }
        if (BLOCKS > 3u) { dv3 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, i, 3u % BLOCKS), dv3); }
        if (BLOCKS > 4u) { dv4 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, i, 4u % BLOCKS), dv4); }
        if (BLOCKS > 5u) { dv5 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, i, 5u % BLOCKS), dv5); }
        if (BLOCKS > 6u) { dv6 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, i, 6u % BLOCKS), dv6); }
        if (BLOCKS > 7u) { dv7 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, i, 7u % BLOCKS), dv7); }
        let ds = half_at(unit * STEPS + n);
        dk0 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, i, 0u), dk0);
        if (BLOCKS > 1u) { dk1 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, i, 1u % BLOCKS), dk1); }
        if (BLOCKS > 2u) { dk2 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, i, 2u % BLOCKS), dk2); }
        if (BLOCKS > 3u) { dk3 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, i, 3u % BLOCKS), dk3); }
        if (BLOCKS > 4u) { dk4 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, i, 4u % BLOCKS), dk4); }
        if (BLOCKS > 5u) { dk5 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, i, 5u % BLOCKS), dk5); }
        if (BLOCKS > 6u) { dk6 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, i, 6u % BLOCKS), dk6); }
        if (BLOCKS > 7u) { dk7 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, i, 7u % BLOCKS), dk7); }
      }
    }
    turn = 1u - turn;
  }

  workgroupBarrier();
  finish(dk0, 0u, unit, local, place, length, 1u, 1.0 / factor);
  if (BLOCKS > 1u) { finish(dk1, 1u, unit, local, place, length, 1u, 1.0 / factor); }
  if (BLOCKS > 2u) { finish(dk2, 2u, unit, local, place, length, 1u, 1.0 / factor); }
  if (BLOCKS > 3u) { finish(dk3, 3u, unit, local, place, length, 1u, 1.0 / factor); }
  if (BLOCKS > 4u) { finish(dk4, 4u, unit, local, place, length, 1u, 1.0 / factor); }
  if (BLOCKS > 5u) { finish(dk5, 5u, unit, local, place, length, 1u, 1.0 / factor); }
  if (BLOCKS > 6u) { finish(dk6, 6u, unit, local, place, length, 1u, 1.0 / factor); }
  if (BLOCKS > 7u) { finish(dk7, 7u, unit, local, place, length, 1u, 1.0 / factor); }
  finish(dv0, 0u, unit, local, place, length, 2u, kept_scale() / P_SCALE);
  if (BLOCKS > 1u) { finish(dv1, 1u, unit, local, place, length, 2u, kept_scale() / P_SCALE); }
  if (BLOCKS > 2u) { finish(dv2, 2u, unit, local, place, length, 2u, kept_scale() / P_SCALE); }
  if (BLOCKS > 3u) { finish(dv3, 3u, unit, local, place, length, 2u, kept_scale() / P_SCALE); }
  if (BLOCKS > 4u) { finish(dv4, 4u, unit, local, place, length, 2u, kept_scale() / P_SCALE); }
  if (BLOCKS > 5u) { finish(dv5, 5u, unit, local, place, length, 2u, kept_scale() / P_SCALE); }
  if (BLOCKS > 6u) { finish(dv6, 6u, unit, local, place, length, 2u, kept_scale() / P_SCALE); }
  if (BLOCKS > 7u) { finish(dv7, 7u, unit, local, place, length, 2u, kept_scale() / P_SCALE); }
}
