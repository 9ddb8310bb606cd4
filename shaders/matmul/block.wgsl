// y + a . b for 4x4 blocks held by rows: row j of the result is y[j] + a[j].x * b[0] + ... + a[j].w * b[3].
fn add_product_row(y: vec4f, a: vec4f, b: mat4x4f) -> vec4f {
  return fma(a.wwww, b[3], fma(a.zzzz, b[2], fma(a.yyyy, b[1], fma(a.xxxx, b[0], y))));
}

fn add_product(y: mat4x4f, a: mat4x4f, b: mat4x4f) -> mat4x4f {
  return mat4x4f(
    add_product_row(y[0], a[0], b),
    add_product_row(y[1], a[1], b),
    add_product_row(y[2], a[2], b),
    add_product_row(y[3], a[3], b),
  );
}

// A loop whose end is data, so that no driver writes it out: lavapipe takes as long to compile 16 stores as all the rest.
fn store_block(block: mat4x4f, start: u32, row: u32, column: u32) {
  var y0 = block[0];
  var y1 = block[1];
  var y2 = block[2];
  var y3 = block[3];
  let end = min(row + 4u, u.M);
  for (var r = row; r < end; r++) {
    store(y0, start, r, column);
    y0 = y1;
    y1 = y2;
    y2 = y3;
  }
}

