// y_i = sum over keys j <= i of p_ij v_j, p from the panels
// One invocation computes 8 rows of one Pack of columns, 4 keys at a time.

@group(0) @binding(0) var<storage, read> qkv: array<Pack>;
@group(0) @binding(1) var<storage, read> lengths: array<u32>;
@group(0) @binding(2) var<storage, read> probabilities: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<Pack>;

@compute @workgroup_size(WORKGROUP)
fn panel_values(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let item = item_of(linear_group(group, groups) * WORKGROUP + local);
  let d = item.number % PACKS;
  let i = item.number / PACKS * 8u;
  if (i >= T) { return; }
  let length = min(lengths[item.place.b], T);
  let end = select(0u, (min(i + 8u, length) + 3u) / 4u, i < length);

  let row = quads();
  var low = Four();
  var high = Four();
  for (var quad = 0u; quad < end; quad++) {
    let places = q_rows(item.place, rows_from(quad * 4u)) + vec4u(2u * H * PACKS + d);
    let v = four(qkv[places.x], qkv[places.y], qkv[places.z], qkv[places.w]);
    let at = panel_at(item.head, i, quad);
    low += four_weigh(v, mat4x4f(
      probabilities[at], probabilities[at + row], probabilities[at + 2u * row], probabilities[at + 3u * row]));
    high += four_weigh(v, mat4x4f(
      probabilities[at + 4u * row], probabilities[at + 5u * row], probabilities[at + 6u * row], probabilities[at + 7u * row]));
  }

  let to = y_at(item.place, i) + d;
  let stride = H * PACKS;
  y[to] = low[0];
  if (i + 1u < T) { y[to + stride] = low[1]; }
  if (i + 2u < T) { y[to + 2u * stride] = low[2]; }
  if (i + 3u < T) { y[to + 3u * stride] = low[3]; }
  if (i + 4u < T) { y[to + 4u * stride] = high[0]; }
  if (i + 5u < T) { y[to + 5u * stride] = high[1]; }
  if (i + 6u < T) { y[to + 6u * stride] = high[2]; }
  if (i + 7u < T) { y[to + 7u * stride] = high[3]; }
}
