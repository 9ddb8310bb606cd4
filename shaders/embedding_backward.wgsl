// dtable[v] += sum of dy[n] over the n with ids[n] = v
// dy: [N, C], ids: [N], order: [N] (places sorted by id), dtable: rows FIRST..FIRST+ROWS of [V, C].
// One invocation has one place in the sorted order and one Pack of columns; the first of a run of equal ids sums the run.

struct Uniforms {
  N: u32,
  C: u32,
  FIRST: u32,
  ROWS: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> dy: array<Pack>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> dtable: array<Pack>;

@compute @workgroup_size(64)
fn embedding_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  let packs = u.C / PACK;
  if (i >= u.N * packs) {
    return;
  }
  let place = i / packs;
  let column = i % packs;
  let id = ids[order[place]];
  if (id < u.FIRST || id >= u.FIRST + u.ROWS) {
    return;
  }
  if (place > 0u && ids[order[place - 1u]] == id) {
    return;
  }
  var sum = Sum();
  var more = true;
  for (var begin = place; more && begin < u.N; begin += RUN) {
    var run = Pack();
    let end = min(begin + RUN, u.N);
    for (var at = begin; at < end; at++) {
      let n = order[at];
      more = ids[n] == id;
      if (!more) {
        break;
      }
      run += dy[n * packs + column];
    }
    add_run(&sum, run);
  }
  dtable[(id - u.FIRST) * packs + column] += sum_of(sum);
}
