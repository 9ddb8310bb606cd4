// keys[r, h, :, s] = k, values[r, h, s, :] = v of row p S + s of qkv, whose columns are q | k | v; r = cache_rows[p].
// qkv: [P S, 3 H D], a span of which that begins at row FIRST is bound; its k and v become what the cache has.
// keys: [B, H, ENTRIES + 1, T]; values: [B, H, T, ENTRIES + 1]; four channels are an entry, and the last is their step: lib/cache_bytes.wgsl.
// One invocation keeps a head's key or its value.

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

// An entry of qkv, whose head begins at `at`; past D there is nothing.
fn channels_of(at: u32, entry: u32) -> Channels {
  var four = vec4f();
  for (var i = 0u; i < min(ENTRY, u.D - ENTRY * entry); i++) { four[i] = qkv[at + ENTRY * entry + i]; }
  return channels(four);
}

@compute @workgroup_size(64)
fn cache_append_bytes(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i >= u.N) {
    return;
  }
  let own_head = i % u.H;
  let is_value = i / u.H % 2u == 1u;
  let own_row = i / (2u * u.H);
  let row = u.FIRST + own_row;
  let s = row % u.S;
  let head = cache_rows[row / u.S] * u.H + own_head;
  let at = ((own_row * 3u + select(1u, 2u, is_value)) * u.H + own_head) * u.D;
  var highest = 0u;
  for (var entry = 0u; entry < u.ENTRIES; entry++) { highest = max(highest, magnitude(channels_of(at, entry))); }
  let step = step_for(highest);
  let slots = u.ENTRIES + 1u;
  for (var entry = 0u; entry < u.ENTRIES; entry++) {
    let word = kept(channels_of(at, entry), step);
    let channels = widened(word) * step_of(step);
    if (is_value) { values[(head * u.T + s) * slots + entry] = word; } else { keys[(head * slots + entry) * u.T + s] = word; }
    for (var i = 0u; i < min(ENTRY, u.D - ENTRY * entry); i++) { qkv[at + ENTRY * entry + i] = channel(channels, i); }
  }
  if (is_value) { values[(head * u.T + s) * slots + u.ENTRIES] = step; } else { keys[(head * slots + u.ENTRIES) * u.T + s] = step; }
}
