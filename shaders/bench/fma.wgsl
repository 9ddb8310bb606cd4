// y[i] = the sum of the chains of invocation i, each of which became c * scale + shift, 4 STEPS times: arithmetic in
// registers alone, which is what an adapter can do at most. How many chains keep it busy differs, so there are entry
// points with 1, 2, 4 and 8 of 4 lanes each.
// settings: [scale, shift]; y: [N].

override N: u32;
override STEPS: u32;
// 1: one fused multiply-add; 0: a product and a sum. Drivers differ in which is fast.
override FUSED: u32;

@group(0) @binding(0) var<storage, read> settings: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

fn next(c: vec4f) -> vec4f {
  if (FUSED == 1u) { return fma(c, vec4f(settings[0]), vec4f(settings[1])); }
  return c * settings[0] + settings[1];
}

fn start(i: u32, chain: u32) -> vec4f {
  return vec4f(f32(i % 64u), 1.0, 2.0, 3.0) + f32(chain);
}

fn total(c: vec4f) -> f32 {
  return c.x + c.y + c.z + c.w;
}

@compute @workgroup_size(64)
fn chains1(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= N) { return; }
  var a = start(id.x, 0u);
  for (var i = 0u; i < STEPS; i++) {
    a = next(a);
    a = next(a);
    a = next(a);
    a = next(a);
  }
  y[id.x] = total(a);
}

@compute @workgroup_size(64)
fn chains2(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= N) { return; }
  var a = start(id.x, 0u);
  var b = start(id.x, 1u);
  for (var i = 0u; i < STEPS; i++) {
    a = next(a); b = next(b);
    a = next(a); b = next(b);
    a = next(a); b = next(b);
    a = next(a); b = next(b);
  }
  y[id.x] = total(a) + total(b);
}

@compute @workgroup_size(64)
fn chains4(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= N) { return; }
  var a = start(id.x, 0u);
  var b = start(id.x, 1u);
  var c = start(id.x, 2u);
  var d = start(id.x, 3u);
  for (var i = 0u; i < STEPS; i++) {
    a = next(a); b = next(b); c = next(c); d = next(d);
    a = next(a); b = next(b); c = next(c); d = next(d);
    a = next(a); b = next(b); c = next(c); d = next(d);
    a = next(a); b = next(b); c = next(c); d = next(d);
  }
  y[id.x] = total(a) + total(b) + total(c) + total(d);
}

@compute @workgroup_size(64)
fn chains8(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= N) { return; }
  var a = start(id.x, 0u);
  var b = start(id.x, 1u);
  var c = start(id.x, 2u);
  var d = start(id.x, 3u);
  var e = start(id.x, 4u);
  var f = start(id.x, 5u);
  var g = start(id.x, 6u);
  var h = start(id.x, 7u);
  for (var i = 0u; i < STEPS; i++) {
    a = next(a); b = next(b); c = next(c); d = next(d); e = next(e); f = next(f); g = next(g); h = next(h);
    a = next(a); b = next(b); c = next(c); d = next(d); e = next(e); f = next(f); g = next(g); h = next(h);
    a = next(a); b = next(b); c = next(c); d = next(d); e = next(e); f = next(f); g = next(g); h = next(h);
    a = next(a); b = next(b); c = next(c); d = next(d); e = next(e); f = next(f); g = next(g); h = next(h);
  }
  y[id.x] = total(a) + total(b) + total(c) + total(d) + total(e) + total(f) + total(g) + total(h);
}
