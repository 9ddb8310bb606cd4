// Each row of a is normalised before it is multiplied, as layer_norm.wgsl does it: (a - mean) / sqrt(variance + EPSILON) gain + shift.
// Every workgroup does so for the rows that it holds: they are few, and short beside what is read of b. K is a multiple of 4, and a's
// rows lie along it. GAIN and SHIFT, their bindings, GROUP, the invocations, and ROWS are the dispatch's.
override EPSILON: f32;
override HAS_SHIFT: bool;

@group(0) @binding(GAIN) var<storage, read> gain: array<vec4f>;
// bound to the gain where there is none
@group(0) @binding(SHIFT) var<storage, read> shift: array<vec4f>;

// of a row: its mean, what rounding has left of it, 1 / deviation
var<workgroup> norms: array<vec3f, ROWS>;

// an eighth of the invocations adds what eight of them have; GROUP is a multiple of 32
const PART = GROUP / 8u;

// The sum of what all invocations have, through the memory in which their sums will meet; all of the workgroup calls it.
fn total_of(own: vec2f, local: u32) -> vec2f {
  workgroupBarrier();
  sums[local] = vec4f(own, 0.0, 0.0);
  workgroupBarrier();
  if (local < PART) {
    var part = vec4f();
    for (var i = 0u; i < 8u; i++) { part += sums[local + i * PART]; }
    sums[local] = part; // which nobody else has read
  }
  workgroupBarrier();
  var sum = vec4f();
  for (var i = 0u; i < PART; i += 4u) {
    sum += (sums[i] + sums[i + 1u]) + (sums[i + 2u] + sums[i + 3u]);
  }
  return sum.xy;
}

// start: where a begins; row: the first that the workgroup holds.
fn prepare(start: u32, row: u32, local: u32) {
  let count = min(ROWS, u.M - row);
  let packs = u.K / 4u;
  for (var r = 0u; r < count; r++) {
    let from_k = (start + (row + r) * u.A_ROW) / 4u;
    var sum = vec4f();
    for (var k = local; k < packs; k += GROUP) { sum += vec4f(a[from_k + k]); }
    let average = total_of(vec2f((sum.x + sum.y) + (sum.z + sum.w), 0.0), local).x / f32(u.K);
    // A large mean has lost its last digits to rounding: what is left of it shows in the centred values.
    var rest = vec4f();
    var square = vec4f();
    for (var k = local; k < packs; k += GROUP) {
      let centred = vec4f(a[from_k + k]) - average;
      rest += centred;
      square += centred * centred;
    }
    let both = vec2f((rest.x + rest.y) + (rest.z + rest.w), (square.x + square.y) + (square.z + square.w));
    let means = total_of(both, local) / f32(u.K);
    if (local == 0u) {
      norms[r] = vec3f(average, means.x, inverseSqrt(max(means.y - means.x * means.x, 0.0) + EPSILON));
    }
  }
  workgroupBarrier();
}

fn prepared_row(four: vec4f, k: u32, row: u32) -> vec4f {
  let norm = norms[row];
  let value = (four - norm.x - norm.y) * norm.z * gain[k / 4u];
  if (HAS_SHIFT) { return value + shift[k / 4u]; }
  return value;
}

// Rows row to row + 3 of those that the workgroup holds, k to k + 3.
fn prepared(block: mat4x4f, k: u32, row: u32) -> mat4x4f {
  if (ROWS == 1u) { return mat4x4f(prepared_row(block[0], k, 0u), block[1], block[2], block[3]); }
  let r = min(row, max(ROWS, 4u) - 4u);
  return mat4x4f(
    prepared_row(block[0], k, r),
    prepared_row(block[1], k, r + 1u),
    prepared_row(block[2], k, r + 2u),
    prepared_row(block[3], k, r + 3u));
}
