// What backward_queries.wgsl computes, on matrix units: see matrix_common.wgsl.
// ds_ij is f16 when it is multiplied with keys, times a power of 2 of its row: FACTOR_POWER is the magnitude of p = 1 times dy's own norm.
// For the gradient of keys, whose sums go over rows, delta has the largest ds of each row behind its delta: [B, H, T, 2].

@group(0) @binding(0) var<storage, read> qkv: array<X>;
// binding 1 is in whole.wgsl or packed.wgsl
// bound to lengths where there is no dropout
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read> y: array<vec4<f16>>;
@group(0) @binding(4) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<X>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Stored>;
@group(0) @binding(7) var<storage, read_write> delta: array<f32>;

// norms of values are far from 2^13 times as large
const FACTOR_POWER = 2;

var<workgroup> slopes: array<array<f32, SIDE * PITCH>, UNITS * STEPS>;

fn first_at(place: Place, row: u32) -> u32 {
  return k_at(place, row);
}

fn second_at(place: Place, row: u32) -> u32 {
  return v_at(place, row);
}

fn first_4(at: u32) -> X {
  return qkv[at];
}

fn second_4(at: u32) -> X {
  return qkv[at];
}

fn held_a_4(at: u32) -> X {
  return qkv[at];
}

fn held_b_4(at: u32) -> X {
  return dy[at];
}

// Stores block b of the columns of dq. All of the workgroup calls it.
fn finish(sum: Sum, b: u32, unit: u32, local: u32, place: Place, length: u32) {
  if (unit < UNITS) { put_score(sum, unit * STEPS); }
  workgroupBarrier();
  let nominal = place.first + local / 32u * SIDE;
  for (var part = 0u; part < 2u; part++) {
    let row = row_of(local) + 8u * part;
    let i = within(nominal) + row;
    let four = put_4(local, row) * factors[local / 32u * SIDE + row];
    if (i >= nominal) { dqkv[(q_at(place, i) + b * SIDE) / 4u + local % 4u] = stored(select(vec4f(), four, i < length)); }
  }
  workgroupBarrier();
}

@compute @workgroup_size(WORKGROUP)
fn backward_queries(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) unit: u32,
) {
  let place = matrix_place(linear_group(group, groups), true);
  if (place.first >= u.T) { return; }
  let length = length_of(place.b);
  // of the subgroup, which multiplies
  let held = place.first + unit * SIDE;
  let wanted = unit < UNITS && held < length;
  // of the invocation, which takes rows as all of them lie in the workgroup
  let unit_rows = local / 32u;
  let nominal = place.first + unit_rows * SIDE;
  let row = row_of(local);

  let own_q = q_at(place, within(nominal));
  let unit_q = q_at(place, within(held));
  let own_y = y_at(place, within(nominal));
  let unit_y = y_at(place, within(held));
  let q0 = held_a(own_q, unit_q, 3u * u.H * D, 0u, unit, local);
  var q1: Left;
  if (BLOCKS > 1u) { q1 = held_a(own_q, unit_q, 3u * u.H * D, 1u % BLOCKS, unit, local); }
  var q2: Left;
  if (BLOCKS > 2u) { q2 = held_a(own_q, unit_q, 3u * u.H * D, 2u % BLOCKS, unit, local); }
  var q3: Left;
  if (BLOCKS > 3u) { q3 = held_a(own_q, unit_q, 3u * u.H * D, 3u % BLOCKS, unit, local); }
  var q4: Left;
  if (BLOCKS > 4u) { q4 = held_a(own_q, unit_q, 3u * u.H * D, 4u % BLOCKS, unit, local); }
  var q5: Left;
  if (BLOCKS > 5u) { q5 = held_a(own_q, unit_q, 3u * u.H * D, 5u % BLOCKS, unit, local); }
  var q6: Left;
  if (BLOCKS > 6u) { q6 = held_a(own_q, unit_q, 3u * u.H * D, 6u % BLOCKS, unit, local); }
  var q7: Left;
  if (BLOCKS > 7u) { q7 = held_a(own_q, unit_q, 3u * u.H * D, 7u % BLOCKS, unit, local); }
  let g0 = held_b(own_y, unit_y, u.H * D, 0u, unit, local);
  var g1: Left;
  if (BLOCKS > 1u) { g1 = held_b(own_y, unit_y, u.H * D, 1u % BLOCKS, unit, local); }
  var g2: Left;
  if (BLOCKS > 2u) { g2 = held_b(own_y, unit_y, u.H * D, 2u % BLOCKS, unit, local); }
  var g3: Left;
  if (BLOCKS > 3u) { g3 = held_b(own_y, unit_y, u.H * D, 3u % BLOCKS, unit, local); }
  var g4: Left;
  if (BLOCKS > 4u) { g4 = held_b(own_y, unit_y, u.H * D, 4u % BLOCKS, unit, local); }
  var g5: Left;
  if (BLOCKS > 5u) { g5 = held_b(own_y, unit_y, u.H * D, 5u % BLOCKS, unit, local); }
  var g6: Left;
  if (BLOCKS > 6u) { g6 = held_b(own_y, unit_y, u.H * D, 6u % BLOCKS, unit, local); }
  var g7: Left;
  if (BLOCKS > 7u) { g7 = held_b(own_y, unit_y, u.H * D, 7u % BLOCKS, unit, local); }
  var dq0 = Sum();
  var dq1 = Sum();
  var dq2 = Sum();
  var dq3 = Sum();
  var dq4 = Sum();
  var dq5 = Sum();
  var dq6 = Sum();
  var dq7 = Sum();
  var norm: vec2f;
  var product: vec2f;
  var factor: vec2f;
  var peak: vec2f;
  for (var h = 0u; h < 2u; h++) {
    let i = within(nominal) + row + 8u * h;
    var squares = 0.0;
    for (var d = 0u; d < D / 16u; d++) {
      let at = y_at(place, i) / 4u + d * 4u + local % 4u;
      let out = held_four(at);
      product[h] += dot(out, vec4f(y[at]));
      squares += dot(out, out);
    }
    product[h] = row_sum(product[h]);
    factor[h] = factor_for(sqrt(row_sum(squares)) * u.SCALE, FACTOR_POWER);
    norm[h] = log_sum_exp[row_at(place, i)];
  }

  let end = min(place.end, length);
  let begin = first_key(place.b, place.first) / 8u * 8u;
  if (begin < end) { stage(place, 0u, begin, unit, local, fetch(place, begin, local)); }
  workgroupBarrier();
  var turn = 0u;
  for (var start = begin; start < end; start += TILE) {
    let seen = wanted && start < held + SIDE;
    if (seen) {
      for (var n = 0u; n < STEPS; n++) {
        let j = within(start + n * SIDE);
        var s = Sum();
        s = subgroupMatrixMultiplyAccumulate(q0, first_columns(place, turn, n, j, 0u), s);
        if (BLOCKS > 1u) { s = subgroupMatrixMultiplyAccumulate(q1, first_columns(place, turn, n, j, 1u % BLOCKS), s); }
        if (BLOCKS > 2u) { s = subgroupMatrixMultiplyAccumulate(q2, first_columns(place, turn, n, j, 2u % BLOCKS), s); }
        if (BLOCKS > 3u) { s = subgroupMatrixMultiplyAccumulate(q3, first_columns(place, turn, n, j, 3u % BLOCKS), s); }
        if (BLOCKS > 4u) { s = subgroupMatrixMultiplyAccumulate(q4, first_columns(place, turn, n, j, 4u % BLOCKS), s); }
        if (BLOCKS > 5u) { s = subgroupMatrixMultiplyAccumulate(q5, first_columns(place, turn, n, j, 5u % BLOCKS), s); }
        if (BLOCKS > 6u) { s = subgroupMatrixMultiplyAccumulate(q6, first_columns(place, turn, n, j, 6u % BLOCKS), s); }
        if (BLOCKS > 7u) { s = subgroupMatrixMultiplyAccumulate(q7, first_columns(place, turn, n, j, 7u % BLOCKS), s); }
        put_score(s, unit * STEPS + n);
        var dp = Sum();
        dp = subgroupMatrixMultiplyAccumulate(g0, second_columns(place, turn, n, j, 0u), dp);
        if (BLOCKS > 1u) { dp = subgroupMatrixMultiplyAccumulate(g1, second_columns(place, turn, n, j, 1u % BLOCKS), dp); }
        if (BLOCKS > 2u) { dp = subgroupMatrixMultiplyAccumulate(g2, second_columns(place, turn, n, j, 2u % BLOCKS), dp); }
        if (BLOCKS > 3u) { dp = subgroupMatrixMultiplyAccumulate(g3, second_columns(place, turn, n, j, 3u % BLOCKS), dp); }
        if (BLOCKS > 4u) { dp = subgroupMatrixMultiplyAccumulate(g4, second_columns(place, turn, n, j, 4u % BLOCKS), dp); }
        if (BLOCKS > 5u) { dp = subgroupMatrixMultiplyAccumulate(g5, second_columns(place, turn, n, j, 5u % BLOCKS), dp); }
        if (BLOCKS > 6u) { dp = subgroupMatrixMultiplyAccumulate(g6, second_columns(place, turn, n, j, 6u % BLOCKS), dp); }
        if (BLOCKS > 7u) { dp = subgroupMatrixMultiplyAccumulate(g7, second_columns(place, turn, n, j, 7u % BLOCKS), dp); }
        subgroupMatrixStore<row_major>(&slopes[unit * STEPS + n], 0u, dp, PITCH);
      }
    }
    if (DROPS) {
      for (var d = 0u; d < DRAWS; d++) {
        let word = (local + d * WORKGROUP) / 2u;
        let i = within(place.first + word / TILE * SIDE) + word / STEPS % SIDE;
        draw(word, row_at(place, i), start / 8u + 2u * (word % STEPS), local);
      }
    }
    // asked for before the scores are worked on, put after
    let ahead = fetch(place, start + TILE, local);
    workgroupBarrier();
    if (nominal < length && start < nominal + SIDE) {
      for (var h = 0u; h < 2u; h++) {
        let i = within(nominal) + row + 8u * h;
        let seen_from = max(start, first_key(place.b, i));
        for (var n = 0u; n < STEPS; n++) {
          let j = columns_from(within(start + n * SIDE), local);
          let allowed = (j >= vec4u(max(seen_from, start + n * SIDE))) & (j <= vec4u(i));
          let matrix = unit_rows * STEPS + n;
          let s = score_4(matrix, row + 8u * h, local) * u.SCALE - norm[h];
          let p = select(vec4f(), exp(select(vec4f(LOWEST), s, allowed)), allowed);
          let at = (row + 8u * h) * PITCH + local % 4u;
          let dp = vec4f(slopes[matrix][at], slopes[matrix][at + 4u], slopes[matrix][at + 8u], slopes[matrix][at + 12u]);
          let bits = drawn[(unit_rows * SIDE + row + 8u * h) * STEPS + n];
          let kept = keep_columns(dp, bits, j, start + n * SIDE) * kept_scale();
          let ds = select(vec4f(), p * (kept - product[h]) * u.SCALE, allowed);
          let sizes = abs(ds);
          peak[h] = max(peak[h], max(max(sizes.x, sizes.y), max(sizes.z, sizes.w)));
          put_half(matrix, row + 8u * h, local, stored(ds * factor[h]));
        }
      }
    }
    if (start + TILE < end) { stage(place, 1u - turn, start + TILE, unit, local, ahead); }
    workgroupBarrier();
    if (seen) {
      for (var n = 0u; n < STEPS; n++) {
        let j = within(start + n * SIDE);
        let ds = half_at(unit * STEPS + n);
        dq0 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, j, 0u), dq0);
        if (BLOCKS > 1u) { dq1 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, j, 1u % BLOCKS), dq1); }
        if (BLOCKS > 2u) { dq2 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, j, 2u % BLOCKS), dq2); }
        if (BLOCKS > 3u) { dq3 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, j, 3u % BLOCKS), dq3); }
        if (BLOCKS > 4u) { dq4 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, j, 4u % BLOCKS), dq4); }
        if (BLOCKS > 5u) { dq5 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, j, 5u % BLOCKS), dq5); }
        if (BLOCKS > 6u) { dq6 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, j, 6u % BLOCKS), dq6); }
        if (BLOCKS > 7u) { dq7 = subgroupMatrixMultiplyAccumulate(ds, first_rows(place, turn, n, j, 7u % BLOCKS), dq7); }
      }
    }
    turn = 1u - turn;
  }

  for (var h = 0u; h < 2u; h++) {
    let i = within(nominal) + row + 8u * h;
    let largest = row_maximum(peak[h]);
    if (local % 4u == 0u) {
      factors[unit_rows * SIDE + row + 8u * h] = 1.0 / factor[h];
      if (i >= nominal) {
        delta[2u * row_at(place, i)] = product[h];
        delta[2u * row_at(place, i) + 1u] = largest;
      }
    }
  }
  workgroupBarrier();
  finish(dq0, 0u, unit, local, place, length);
  if (BLOCKS > 1u) { finish(dq1, 1u, unit, local, place, length); }
  if (BLOCKS > 2u) { finish(dq2, 2u, unit, local, place, length); }
  if (BLOCKS > 3u) { finish(dq3, 3u, unit, local, place, length); }
  if (BLOCKS > 4u) { finish(dq4, 4u, unit, local, place, length); }
  if (BLOCKS > 5u) { finish(dq5, 5u, unit, local, place, length); }
  if (BLOCKS > 6u) { finish(dq6, 6u, unit, local, place, length); }
  if (BLOCKS > 7u) { finish(dq7, 7u, unit, local, place, length); }
}
