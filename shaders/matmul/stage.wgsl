// y + the outer product of 4 rows of a and 4 columns of b.
fn add_outer(y: mat4x4f, a: vec4f, b: vec4f) -> mat4x4f {
  return mat4x4f(fma(a.xxxx, b, y[0]), fma(a.yyyy, b, y[1]), fma(a.zzzz, b, y[2]), fma(a.wwww, b, y[3]));
}

// Which block of a tile is staged n-th, of `side` blocks along the side and `deep` along k: (along the side, along k).
// Neighbours take neighbours in memory.
fn slot(n: u32, along_k: bool, side: u32, deep: u32) -> vec2u {
  return select(vec2u(n % side, n / side), vec2u(n / deep, n % deep), along_k);
}

