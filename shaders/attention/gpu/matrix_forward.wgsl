// What forward.wgsl computes, on matrix units: see matrix_common.wgsl.
// A row's scores are taken less its highest so far, as it was when it last grew by more than SLACK: only then are sums, which are
// opaque, put through workgroup memory to shrink. Until then probabilities are up to exp(SLACK), far inside f16.

@group(0) @binding(0) var<storage, read> qkv: array<X>;
// binding 1 is in whole.wgsl or packed.wgsl
// bound to lengths where there is no dropout
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Stored>;
@group(0) @binding(4) var<storage, read_write> log_sum_exp: array<f32>;

const SLACK = 8.0;

// the tile, from 1 on, in which a row last outgrew its sums
var<workgroup> outgrown: u32;

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
  return qkv[at];
}

// A sum whose rows count `shrink` times, row and row + 8 of each invocation. All of the workgroup calls it.
fn shrunk(sum: Sum, unit: u32, local: u32, shrink: vec2f) -> Sum {
  let own = min(unit, UNITS - 1u) * STEPS;
  if (unit < UNITS) { put_score(sum, own); }
  workgroupBarrier();
  let matrix = local / 32u * STEPS;
  for (var h = 0u; h < 2u; h++) {
    for (var j = 0u; j < 4u; j++) {
      scores[matrix][(row_of(local) + 8u * h) * PITCH + local % 4u + 4u * j] *= shrink[h];
    }
  }
  workgroupBarrier();
  return subgroupMatrixLoad<Sum, row_major>(&scores[own], 0u, PITCH);
}

// Stores block b of the columns of y. All of the workgroup calls it.
fn finish(sum: Sum, b: u32, unit: u32, local: u32, place: Place, length: u32) {
  if (unit < UNITS) { put_score(sum, unit * STEPS); }
  workgroupBarrier();
  let nominal = place.first + local / 32u * SIDE;
  for (var part = 0u; part < 2u; part++) {
    let row = row_of(local) + 8u * part;
    let i = within(nominal) + row;
    let four = put_4(local, row) * factors[local / 32u * SIDE + row];
    if (i >= nominal) { y[(y_at(place, i) + b * SIDE) / 4u + local % 4u] = stored(select(vec4f(), four, i < length)); }
  }
  workgroupBarrier();
}

@compute @workgroup_size(WORKGROUP)
fn forward(
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

  let own_at = q_at(place, within(nominal));
  let unit_at = q_at(place, within(held));
  let q0 = held_a(own_at, unit_at, 3u * u.H * D, 0u, unit, local);
  var q1: Left;
  if (BLOCKS > 1u) { q1 = held_a(own_at, unit_at, 3u * u.H * D, 1u % BLOCKS, unit, local); }
  var q2: Left;
  if (BLOCKS > 2u) { q2 = held_a(own_at, unit_at, 3u * u.H * D, 2u % BLOCKS, unit, local); }
  var q3: Left;
  if (BLOCKS > 3u) { q3 = held_a(own_at, unit_at, 3u * u.H * D, 3u % BLOCKS, unit, local); }
  var q4: Left;
  if (BLOCKS > 4u) { q4 = held_a(own_at, unit_at, 3u * u.H * D, 4u % BLOCKS, unit, local); }
  var q5: Left;
  if (BLOCKS > 5u) { q5 = held_a(own_at, unit_at, 3u * u.H * D, 5u % BLOCKS, unit, local); }
  var q6: Left;
  if (BLOCKS > 6u) { q6 = held_a(own_at, unit_at, 3u * u.H * D, 6u % BLOCKS, unit, local); }
  var q7: Left;
  if (BLOCKS > 7u) { q7 = held_a(own_at, unit_at, 3u * u.H * D, 7u % BLOCKS, unit, local); }
  var o0 = Sum();
  var o1 = Sum();
  var o2 = Sum();
  var o3 = Sum();
  var o4 = Sum();
  var o5 = Sum();
  var o6 = Sum();
  var o7 = Sum();
  var highest = vec2f(LOWEST);
  var total = vec2f();

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
    var shrink = vec2f(1.0);
    let scored = nominal < length && start < nominal + SIDE;
    for (var h = 0u; h < 2u; h++) {
      let i = within(nominal) + row + 8u * h;
      let seen_from = max(start, first_key(place.b, i));
      var s: array<vec4f, STEPS>;
      var most = vec4f(LOWEST);
      if (scored) {
        for (var n = 0u; n < STEPS; n++) {
          let j = columns_from(within(start + n * SIDE), local);
          let allowed = (j >= vec4u(max(seen_from, start + n * SIDE))) & (j <= vec4u(i));
          s[n] = select(vec4f(LOWEST), score_4(unit_rows * STEPS + n, row + 8u * h, local) * u.SCALE, allowed);
          most = max(most, s[n]);
        }
      }
      let tile_highest = row_maximum(max(max(most.x, most.y), max(most.z, most.w)));
      if (tile_highest > highest[h] + SLACK) {
        shrink[h] = exp(highest[h] - tile_highest);
        if (highest[h] > LOWEST) { outgrown = start + 1u; }
        highest[h] = tile_highest;
      }
      total[h] *= shrink[h];
      if (scored) {
        for (var n = 0u; n < STEPS; n++) {
          let j = columns_from(within(start + n * SIDE), local);
          let allowed = (j >= vec4u(max(seen_from, start + n * SIDE))) & (j <= vec4u(i));
          let p = select(vec4f(), exp(s[n] - highest[h]), allowed);
          total[h] += (p.x + p.y) + (p.z + p.w);
          let bits = drawn[(unit_rows * SIDE + row + 8u * h) * STEPS + n];
          let kept = vec4<f16>(keep_columns(p, bits, j, start + n * SIDE));
          put_half(unit_rows * STEPS + n, row + 8u * h, local, kept);
        }
      }
    }
    if (start + TILE < end) { stage(place, 1u - turn, start + TILE, unit, local, ahead); }
    // a barrier, too
    if (workgroupUniformLoad(&outgrown) == start + 1u) {
      o0 = shrunk(o0, unit, local, shrink);
      if (BLOCKS > 1u) { o1 = shrunk(o1, unit, local, shrink); }
      if (BLOCKS > 2u) { o2 = shrunk(o2, unit, local, shrink); }
      if (BLOCKS > 3u) { o3 = shrunk(o3, unit, local, shrink); }
      if (BLOCKS > 4u) { o4 = shrunk(o4, unit, local, shrink); }
      if (BLOCKS > 5u) { o5 = shrunk(o5, unit, local, shrink); }
      if (BLOCKS > 6u) { o6 = shrunk(o6, unit, local, shrink); }
      if (BLOCKS > 7u) { o7 = shrunk(o7, unit, local, shrink); }
    }
    if (seen) {
      for (var n = 0u; n < STEPS; n++) {
        let j = within(start + n * SIDE);
        let p = half_at(unit * STEPS + n);
        o0 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, j, 0u), o0);
        if (BLOCKS > 1u) { o1 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, j, 1u % BLOCKS), o1); }
        if (BLOCKS > 2u) { o2 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, j, 2u % BLOCKS), o2); }
        if (BLOCKS > 3u) { o3 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, j, 3u % BLOCKS), o3); }
        if (BLOCKS > 4u) { o4 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, j, 4u % BLOCKS), o4); }
        if (BLOCKS > 5u) { o5 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, j, 5u % BLOCKS), o5); }
        if (BLOCKS > 6u) { o6 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, j, 6u % BLOCKS), o6); }
        if (BLOCKS > 7u) { o7 = subgroupMatrixMultiplyAccumulate(p, second_rows(place, turn, n, j, 7u % BLOCKS), o7); }
      }
    }
    turn = 1u - turn;
  }

  for (var h = 0u; h < 2u; h++) {
    let i = within(nominal) + row + 8u * h;
    let sum = row_sum(total[h]);
    if (local % 4u == 0u) {
      factors[unit_rows * SIDE + row + 8u * h] = kept_scale() / sum;
      if (i >= nominal) { log_sum_exp[row_at(place, i)] = select(0.0, highest[h] + log(sum), i < length); }
    }
  }
  workgroupBarrier();
  finish(o0, 0u, unit, local, place, length);
  if (BLOCKS > 1u) { finish(o1, 1u, unit, local, place, length); }
  if (BLOCKS > 2u) { finish(o2, 2u, unit, local, place, length); }
  if (BLOCKS > 3u) { finish(o3, 3u, unit, local, place, length); }
  if (BLOCKS > 4u) { finish(o4, 4u, unit, local, place, length); }
  if (BLOCKS > 5u) { finish(o5, 5u, unit, local, place, length); }
  if (BLOCKS > 6u) { finish(o6, 6u, unit, local, place, length); }
  if (BLOCKS > 7u) { finish(o7, 7u, unit, local, place, length); }
}
