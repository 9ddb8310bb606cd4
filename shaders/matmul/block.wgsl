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

fn store_block(block: mat4x4f, split: u32, row: u32, column: u32) {
  store(block[0], split, row, column);
  store(block[1], split, row + 1u, column);
  store(block[2], split, row + 2u, column);
  store(block[3], split, row + 3u, column);
}

