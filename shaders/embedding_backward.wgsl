// dtable[v] += sum of dy[n] over the n with ids[n] = v
// dy: [N, C], ids: [N], order: [N] (places sorted by id), dtable: rows FIRST..FIRST+ROWS of [V, C].
// One invocation has one place in the sorted order and one column; the first of a run of equal ids sums the run.

override N: u32;
override C: u32;
override FIRST: u32;
override ROWS: u32;

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> dtable: array<f32>;

@compute @workgroup_size(64)
fn embedding_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i >= N * C) {
    return;
  }
  let place = i / C;
  let column = i % C;
  let id = ids[order[place]];
  if (id < FIRST || id >= FIRST + ROWS) {
    return;
  }
  if (place > 0u && ids[order[place - 1u]] == id) {
    return;
  }
  var sum = 0.0;
  for (var at = place; at < N; at++) {
    let n = order[at];
    if (ids[n] != id) {
      break;
    }
    sum += dy[n * C + column];
  }
  dtable[(id - FIRST) * C + column] += sum;
}
