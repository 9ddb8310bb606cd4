// keys[r, h, :, s] = k, values[r, h, s, :] = v of row p S + s of qkv, whose columns are q | k | v; r = cache_rows[p].
// qkv: [P S, 3 H D], a span of which that begins at row FIRST is bound; where the cache rounds, its k and v become what the cache has.
// keys: [B, H, ENTRIES, T]; values: [B, H, T, ENTRIES]; an entry is one channel or two: lib/cache_stored.wgsl, lib/cache_words.wgsl.
// One invocation copies one entry of each. cache_append_bytes.wgsl is for caches whose channels have a step.

struct Uniforms {
  N: u32,
  FIRST: u32,
  S: u32,
  T: u32,
  H: u32,
  D: u32,
  ENTRIES: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read_write> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> cache_rows: array<u32>;
@group(0) @binding(2) var<storage, read_write> keys: array<Entry>;
@group(0) @binding(3) var<storage, read_write> values: array<Entry>;

// An entry of qkv from `at` on, `count` of whose channels are there.
fn entry_at(at: u32, count: u32) -> Entry {
  var second = 0.0;
  if (ENTRY == 2u && count == 2u) { second = qkv[at + 1u]; }
  return kept(channels(vec4f(qkv[at], second, 0.0, 0.0)), 0u);
}

fn put_back(at: u32, count: u32, entry: Entry) {
  for (var i = 0u; i < count; i++) { qkv[at + i] = channel(widened(entry), i); }
}

@compute @workgroup_size(64)
fn cache_append(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i >= u.N) {
    return;
  }
  let column = i % (u.H * u.ENTRIES);
  let own_row = i / (u.H * u.ENTRIES);
  let row = u.FIRST + own_row;
  let s = row % u.S;
  let own_head = column / u.ENTRIES;
  let head = cache_rows[row / u.S] * u.H + own_head;
  let entry = column % u.ENTRIES;
  let count = min(ENTRY, u.D - ENTRY * entry);
  let at_k = ((own_row * 3u + 1u) * u.H + own_head) * u.D + ENTRY * entry;
  let at_v = at_k + u.H * u.D;
  let k = entry_at(at_k, count);
  let v = entry_at(at_v, count);
  keys[(head * u.ENTRIES + entry) * u.T + s] = k;
  values[(head * u.T + s) * u.ENTRIES + entry] = v;
  if (ENTRY == 2u) {
    put_back(at_k, count, k);
    put_back(at_v, count, v);
  }
}
