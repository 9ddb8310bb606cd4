// vectors.wgsl for a b of words that hold several numbers: an invocation loads 8 neighbours at a time, two of f16 in a word (halves_rows.wgsl,
// halves_columns.wgsl) or four of 8 bits (bytes_rows.wgsl, bytes_columns.wgsl). Where they lie along the columns a block is 4 of K by 8 columns,
// where they lie along K 8 of K by 4 columns; FOURS are its fours of columns, ALONG_K says which it is. a keeps its digits, and what is summed is f32.

// sums of one of the FOURS: of K lane l, row r, column lane c at (l * ROWS + r) * COLUMN_LANES + c
var<workgroup> sums: array<vec4f, K_LANES * ROWS * COLUMN_LANES>;

// 4 of K from k on by 4 columns, twice: the next 4 columns, or the next 4 of K
struct Eights {
  low: mat4x4f,
  high: mat4x4f,
}

// Of 4 rows: the first four columns and, of two, the second.
struct Sums {
  first: mat4x4f,
  second: mat4x4f,
}

fn widened(words: vec2u) -> vec4f {
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}

// low: rows of a from k on, high: from k + 4 on, which counts along K alone.
fn add_block(y: Sums, low: mat4x4f, high: mat4x4f, b: Eights) -> Sums {
  if (ALONG_K == 1u) { return Sums(add_product(add_product(y.first, low, b.low), high, b.high), y.second); }
  return Sums(add_product(y.first, low, b.low), add_product(y.second, low, b.high));
}

@compute @workgroup_size(COLUMN_LANES * K_LANES)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tile = tile_of(group, groups);
  let work = work_of(group.z);
  let row = tile.row * ROWS;
  if (tile.column * COLUMN_LANES * FOURS * 4u >= u.COLUMNS) {
    return; // all of the workgroup
  }
  // (along the columns, along K): the faster one along which b lies
  let lane = select(
    vec2u(local % COLUMN_LANES, local / COLUMN_LANES),
    vec2u(local / K_LANES, local % K_LANES),
    ALONG_K == 1u);
  let depth = 4u + 4u * ALONG_K;
  let place_a0 = place_a(work.a, row);
  let place_a1 = place_a(work.a, row + 4u);
  let place_b0 = place_b(work.b, (tile.column * COLUMN_LANES + lane.x) * FOURS * 4u);
  let many = row + 4u < u.M;
  var y0 = Sums();
  var y1 = Sums();
  prepare(work.a, row, local);
  for (var k = work.k + lane.y * depth; k < work.end; k += K_LANES * depth) {
    let b0 = load_eights(place_b0, k);
    // The second four of a block that has one.
    let next = k + 4u * ALONG_K;
    if (ROWS == 1u) {
      // The other rows are not loaded: nobody asks for them.
      let low = prepared_row(vec4f(a[place_a0.x + k / 4u]), k, 0u);
      y0.first[0] = add_product_row(y0.first[0], low, b0.low);
      if (ALONG_K == 1u) {
        let high = prepared_row(vec4f(a[place_a0.x + next / 4u]), next, 0u);
        y0.first[0] = add_product_row(y0.first[0], high, b0.high);
      } else {
        y0.second[0] = add_product_row(y0.second[0], low, b0.high);
      }
      continue;
    }
    y0 = add_block(y0, prepared(load_a(place_a0, k), k, 0u), prepared(load_a(place_a0, next), next, 0u), b0);
    if (many) {
      y1 = add_block(y1, prepared(load_a(place_a1, k), k, 4u), prepared(load_a(place_a1, next), next, 4u), b0);
    }
  }
  let own = lane.y * ROWS * COLUMN_LANES + lane.x;
  for (var f = 0u; f < FOURS; f++) {
    if (f > 0u) {
      workgroupBarrier();
    }
    for (var r = 0u; r < min(ROWS, 4u); r++) {
      sums[own + r * COLUMN_LANES] = select(y0.first[r], y0.second[r], f > 0u);
      if (ROWS > 4u) { sums[own + (r + 4u) * COLUMN_LANES] = select(y1.first[r], y1.second[r], f > 0u); }
    }
    workgroupBarrier();
    // One for each row and 4 columns adds up.
    if (local < ROWS * COLUMN_LANES) {
      var sum = sums[local];
      for (var l = 1u; l < K_LANES; l++) {
        sum += sums[l * ROWS * COLUMN_LANES + local];
      }
      let y_row = row + local / COLUMN_LANES;
      if (y_row < u.M) {
        store(sum, work.y, y_row, ((tile.column * COLUMN_LANES + local % COLUMN_LANES) * FOURS + f) * 4u);
      }
    }
  }
}
