// 16 sums of an invocation, in an array that loops with constant ends go through, as products and attention have them, or each by
// its name: as fast as each other where compilers keep such arrays in registers.
// x: [64], y: [invocations]

struct Uniforms {
  ROUNDS: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

const SUMS = 16u;

@compute @workgroup_size(64)
fn in_array(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) local: u32) {
  let factor = x[local];
  var sums: array<vec4f, SUMS>;
  for (var i = 0u; i < SUMS; i++) { sums[i] = factor * f32(i); }
  for (var round = 0u; round < u.ROUNDS; round++) {
    for (var i = 0u; i < SUMS; i++) { sums[i] = fma(sums[i], factor, factor); }
  }
  var total = vec4f();
  for (var i = 0u; i < SUMS; i++) { total += sums[i]; }
  y[id.x] = total;
}

@compute @workgroup_size(64)
fn by_name(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) local: u32) {
  let factor = x[local];
  var a = factor * 0.0;
  var b = factor;
  var c = factor * 2.0;
  var d = factor * 3.0;
  var e = factor * 4.0;
  var f = factor * 5.0;
  var g = factor * 6.0;
  var h = factor * 7.0;
  var i = factor * 8.0;
  var j = factor * 9.0;
  var k = factor * 10.0;
  var l = factor * 11.0;
  var m = factor * 12.0;
  var n = factor * 13.0;
  var o = factor * 14.0;
  var p = factor * 15.0;
  for (var round = 0u; round < u.ROUNDS; round++) {
    a = fma(a, factor, factor);
    b = fma(b, factor, factor);
    c = fma(c, factor, factor);
    d = fma(d, factor, factor);
    e = fma(e, factor, factor);
    f = fma(f, factor, factor);
    g = fma(g, factor, factor);
    h = fma(h, factor, factor);
    i = fma(i, factor, factor);
    j = fma(j, factor, factor);
    k = fma(k, factor, factor);
    l = fma(l, factor, factor);
    m = fma(m, factor, factor);
    n = fma(n, factor, factor);
    o = fma(o, factor, factor);
    p = fma(p, factor, factor);
  }
  y[id.x] = (((a + b) + (c + d)) + ((e + f) + (g + h))) + (((i + j) + (k + l)) + ((m + n) + (o + p)));
}
