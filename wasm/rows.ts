import { addressAt, floatAt, intAt, least, words } from "./args";
import { exp4, lanesMax, lanesSum, loadTail, logOf, storeTail } from "./math";

// Ops that take rows by themselves, and sums over rows. Long sums go in blocks of 128 elements, whose sums are added up in
// float64: the error grows with the length of a block, not with that of the row.

const BLOCK: i32 = 128;

/** The sum of x. */
export function sumOf(x: usize, count: i32): f64 {
  let total: f64 = 0;
  const whole = count & ~3;
  let i = 0;
  while (i < whole) {
    const end = least(whole, i + BLOCK);
    let sum = f32x4.splat(0);
    for (; i < end; i += 4) {
      sum = f32x4.add(sum, v128.load(x));
      x += 16;
    }
    total += <f64>lanesSum(sum);
  }
  for (; i < count; i++) {
    total += <f64>load<f32>(x);
    x += 4;
  }
  return total;
}

/** args: R C rows | x gain bias y mean rstd epsilon. A piece is `rows` rows. */
export function layerNorm(args: usize, piece: i32, _scratch: usize): void {
  const C = intAt(args, 1);
  const first = piece * intAt(args, 2);
  const last = least(intAt(args, 0), first + intAt(args, 2));
  const gain = addressAt(args, 4);
  const bias = addressAt(args, 5);
  const epsilon = <f64>floatAt(args, 9);
  for (let r = first; r < last; r++) {
    const x = addressAt(args, 3) + words(C) * <usize>r;
    const y = addressAt(args, 6) + words(C) * <usize>r;
    const average = <f32>(sumOf(x, C) / <f64>C);
    const m = f32x4.splat(average);
    // A large mean has lost its last digits to rounding: what is left of it shows in the centred values.
    let rest: f64 = 0;
    let square: f64 = 0;
    const whole = C & ~3;
    let c = 0;
    while (c < whole) {
      const end = least(whole, c + BLOCK);
      let a = f32x4.splat(0);
      let b = a;
      for (; c < end; c += 4) {
        const d = f32x4.sub(v128.load(x + words(c)), m);
        a = f32x4.add(a, d);
        b = f32x4.add(b, f32x4.mul(d, d));
      }
      rest += <f64>lanesSum(a);
      square += <f64>lanesSum(b);
    }
    for (; c < C; c++) {
      const d = load<f32>(x + words(c)) - average;
      rest += <f64>d;
      square += <f64>(d * d);
    }
    rest /= <f64>C;
    const rstd = <f32>(1 / sqrt<f64>(max<f64>(square / <f64>C - rest * rest, 0) + epsilon));
    store<f32>(addressAt(args, 7) + words(r), <f32>(<f64>average + rest));
    store<f32>(addressAt(args, 8) + words(r), rstd);
    const s = f32x4.splat(rstd);
    const l = f32x4.splat(<f32>rest);
    for (c = 0; c < whole; c += 4) {
      const at = words(c);
      let v = f32x4.mul(f32x4.mul(f32x4.sub(f32x4.sub(v128.load(x + at), m), l), s), v128.load(gain + at));
      if (bias) v = f32x4.add(v, v128.load(bias + at));
      v128.store(y + at, v);
    }
    for (; c < C; c++) {
      const at = words(c);
      const v = (load<f32>(x + at) - average - <f32>rest) * rstd * load<f32>(gain + at);
      store<f32>(y + at, bias ? v + load<f32>(bias + at) : v);
    }
  }
}

/** args: R C rows | x gain mean rstd dy residual dx */
export function layerNormBackward(args: usize, piece: i32, _scratch: usize): void {
  const C = intAt(args, 1);
  const first = piece * intAt(args, 2);
  const last = least(intAt(args, 0), first + intAt(args, 2));
  const gain = addressAt(args, 4);
  const residual = addressAt(args, 8);
  for (let r = first; r < last; r++) {
    const row = words(C) * <usize>r;
    const x = addressAt(args, 3) + row;
    const dy = addressAt(args, 7) + row;
    const dx = addressAt(args, 9) + row;
    const before = residual ? residual + row : 0;
    const mean = load<f32>(addressAt(args, 5) + words(r));
    const rstd = load<f32>(addressAt(args, 6) + words(r));
    const m = f32x4.splat(mean);
    const s = f32x4.splat(rstd);
    let sum: f64 = 0;
    let along: f64 = 0;
    const whole = C & ~3;
    let c = 0;
    while (c < whole) {
      const end = least(whole, c + BLOCK);
      let a = f32x4.splat(0);
      let b = a;
      for (; c < end; c += 4) {
        const at = words(c);
        const d = f32x4.mul(v128.load(dy + at), v128.load(gain + at));
        const normal = f32x4.mul(f32x4.sub(v128.load(x + at), m), s);
        a = f32x4.add(a, d);
        b = f32x4.add(b, f32x4.mul(d, normal));
      }
      sum += <f64>lanesSum(a);
      along += <f64>lanesSum(b);
    }
    for (; c < C; c++) {
      const at = words(c);
      const d = load<f32>(dy + at) * load<f32>(gain + at);
      sum += <f64>d;
      along += <f64>(d * ((load<f32>(x + at) - mean) * rstd));
    }
    const meanD = <f32>(sum / <f64>C);
    const meanAlong = <f32>(along / <f64>C);
    const md = f32x4.splat(meanD);
    const ma = f32x4.splat(meanAlong);
    for (c = 0; c < whole; c += 4) {
      const at = words(c);
      const d = f32x4.mul(v128.load(dy + at), v128.load(gain + at));
      const normal = f32x4.mul(f32x4.sub(v128.load(x + at), m), s);
      let v = f32x4.mul(s, f32x4.sub(f32x4.sub(d, md), f32x4.mul(normal, ma)));
      if (before) v = f32x4.add(v, v128.load(before + at));
      v128.store(dx + at, v);
    }
    for (; c < C; c++) {
      const at = words(c);
      const d = load<f32>(dy + at) * load<f32>(gain + at);
      let v = rstd * (d - meanD - (load<f32>(x + at) - mean) * rstd * meanAlong);
      if (before) v += load<f32>(before + at);
      store<f32>(dx + at, v);
    }
  }
}

/** args: R C rows | x mean rstd dy partials: for each stretch of rows, [2][C]: of the gain, of the bias. */
export function layerNormParameterParts(args: usize, piece: i32, _scratch: usize): void {
  const C = intAt(args, 1);
  const first = piece * intAt(args, 2);
  const last = least(intAt(args, 0), first + intAt(args, 2));
  const gains = addressAt(args, 7) + words(2 * C) * <usize>piece;
  const biases = gains + words(C);
  memory.fill(gains, 0, words(2 * C));
  for (let r = first; r < last; r++) {
    const x = addressAt(args, 3) + words(C) * <usize>r;
    const dy = addressAt(args, 6) + words(C) * <usize>r;
    const mean = load<f32>(addressAt(args, 4) + words(r));
    const rstd = load<f32>(addressAt(args, 5) + words(r));
    const m = f32x4.splat(mean);
    const s = f32x4.splat(rstd);
    let c = 0;
    for (; c + 4 <= C; c += 4) {
      const at = words(c);
      const d = v128.load(dy + at);
      const normal = f32x4.mul(f32x4.sub(v128.load(x + at), m), s);
      v128.store(gains + at, f32x4.add(v128.load(gains + at), f32x4.mul(d, normal)));
      v128.store(biases + at, f32x4.add(v128.load(biases + at), d));
    }
    for (; c < C; c++) {
      const at = words(c);
      const d = load<f32>(dy + at);
      store<f32>(gains + at, load<f32>(gains + at) + d * ((load<f32>(x + at) - mean) * rstd));
      store<f32>(biases + at, load<f32>(biases + at) + d);
    }
  }
}

/** args: R C rows | x partials: sums of each stretch of rows, [C]. */
export function columnSumParts(args: usize, piece: i32, _scratch: usize): void {
  const C = intAt(args, 1);
  const first = piece * intAt(args, 2);
  const last = least(intAt(args, 0), first + intAt(args, 2));
  const sums = addressAt(args, 4) + words(C) * <usize>piece;
  memory.fill(sums, 0, words(C));
  for (let r = first; r < last; r++) {
    const x = addressAt(args, 3) + words(C) * <usize>r;
    let c = 0;
    for (; c + 4 <= C; c += 4) {
      const at = words(c);
      v128.store(sums + at, f32x4.add(v128.load(sums + at), v128.load(x + at)));
    }
    for (; c < C; c++) {
      const at = words(c);
      store<f32>(sums + at, load<f32>(sums + at) + load<f32>(x + at));
    }
  }
}

/** args: P C columns | partials stride y: y[c] = sum over the P stretches, in float64. A piece is `columns` columns. */
export function sumParts(args: usize, piece: i32, _scratch: usize): void {
  const P = intAt(args, 0);
  const first = piece * intAt(args, 2);
  const last = least(intAt(args, 1), first + intAt(args, 2));
  const stride = words(intAt(args, 4));
  for (let c = first; c < last; c++) {
    let at = addressAt(args, 3) + words(c);
    let sum: f64 = 0;
    for (let p = 0; p < P; p++) {
      sum += <f64>load<f32>(at);
      at += stride;
    }
    store<f32>(addressAt(args, 5) + words(c), <f32>sum);
  }
}

/** The largest of a row; NaN if there is one. */
export function maximumOf(x: usize, count: i32): f32 {
  let highest = f32x4.splat(-Infinity);
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    highest = f32x4.max(highest, v128.load(x));
    x += 16;
  }
  if (i < count) highest = f32x4.max(highest, loadTail(x, count - i, -Infinity));
  return lanesMax(highest);
}

/** The sum of exp(x - shift). */
export function sumOfExp(x: usize, count: i32, shift: f32): f64 {
  const s = f32x4.splat(shift);
  const whole = count & ~3;
  let total: f64 = 0;
  let i = 0;
  while (i < whole) {
    const end = least(whole, i + BLOCK);
    let sum = f32x4.splat(0);
    for (; i < end; i += 4) {
      sum = f32x4.add(sum, exp4(f32x4.sub(v128.load(x), s)));
      x += 16;
    }
    total += <f64>lanesSum(sum);
  }
  if (i < count) total += <f64>lanesSum(exp4(f32x4.sub(loadTail(x, count - i, -Infinity), s)));
  return total;
}

/** args: R V rows | logits labels loss logSumExp smoothing */
export function crossEntropy(args: usize, piece: i32, _scratch: usize): void {
  const V = intAt(args, 1);
  const first = piece * intAt(args, 2);
  const last = least(intAt(args, 0), first + intAt(args, 2));
  const smoothing = <f64>floatAt(args, 7);
  for (let r = first; r < last; r++) {
    const row = addressAt(args, 3) + words(V) * <usize>r;
    const label = load<i32>(addressAt(args, 4) + words(r));
    const highest = maximumOf(row, V);
    const log = logOf(sumOfExp(row, V, highest));
    store<f32>(addressAt(args, 6) + words(r), <f32>(<f64>highest + log));
    let loss: f64 = 0;
    if (label != -100) {
      loss = log - (1 - smoothing) * <f64>(load<f32>(row + words(label)) - highest);
      if (smoothing > 0) loss -= (smoothing * below(row, V, highest)) / <f64>V;
    }
    store<f32>(addressAt(args, 5) + words(r), <f32>loss);
  }
}

/** The sum of x - shift. */
function below(x: usize, count: i32, shift: f32): f64 {
  const s = f32x4.splat(shift);
  const whole = count & ~3;
  let total: f64 = 0;
  let i = 0;
  while (i < whole) {
    const end = least(whole, i + BLOCK);
    let sum = f32x4.splat(0);
    for (; i < end; i += 4) {
      sum = f32x4.add(sum, f32x4.sub(v128.load(x), s));
      x += 16;
    }
    total += <f64>lanesSum(sum);
  }
  for (; i < count; i++) {
    total += <f64>(load<f32>(x) - shift);
    x += 4;
  }
  return total;
}

/** args: R V rows | logits labels logSumExp dloss dlogits smoothing; dlogits may be logits. */
export function crossEntropyBackward(args: usize, piece: i32, _scratch: usize): void {
  const V = intAt(args, 1);
  const first = piece * intAt(args, 2);
  const last = least(intAt(args, 0), first + intAt(args, 2));
  const smoothing = floatAt(args, 8);
  const evenly = smoothing / <f32>V;
  for (let r = first; r < last; r++) {
    const from = addressAt(args, 3) + words(V) * <usize>r;
    const to = addressAt(args, 7) + words(V) * <usize>r;
    const label = load<i32>(addressAt(args, 4) + words(r));
    if (label == -100) {
      memory.fill(to, 0, words(V));
      continue;
    }
    const log = load<f32>(addressAt(args, 5) + words(r));
    const scale = load<f32>(addressAt(args, 6) + words(r));
    const own = load<f32>(from + words(label));
    const l = f32x4.splat(log);
    const s = f32x4.splat(scale);
    const e = f32x4.splat(evenly);
    let j = 0;
    for (; j + 4 <= V; j += 4) {
      const p = exp4(f32x4.sub(v128.load(from + words(j)), l));
      v128.store(to + words(j), f32x4.mul(f32x4.sub(p, e), s));
    }
    if (j < V) {
      const p = exp4(f32x4.sub(loadTail(from + words(j), V - j, 0), l));
      storeTail(to + words(j), V - j, f32x4.mul(f32x4.sub(p, e), s));
    }
    const p = f32x4.extract_lane(exp4(f32x4.splat(own - log)), 0);
    store<f32>(to + words(label), (p - (<f32>1 - smoothing + evenly)) * scale);
  }
}

/** args: N C rows | ids table residual y */
export function embedding(args: usize, piece: i32, _scratch: usize): void {
  const C = intAt(args, 1);
  const first = piece * intAt(args, 2);
  const last = least(intAt(args, 0), first + intAt(args, 2));
  const residual = addressAt(args, 5);
  for (let n = first; n < last; n++) {
    const from = addressAt(args, 4) + words(C) * <usize>load<u32>(addressAt(args, 3) + words(n));
    const to = addressAt(args, 6) + words(C) * <usize>n;
    if (residual) addRow(to, from, residual + words(C) * <usize>n, C);
    else memory.copy(to, from, words(C));
  }
}

/** y = a + b. y may be a. */
function addRow(y: usize, a: usize, b: usize, count: i32): void {
  let c = 0;
  for (; c + 4 <= count; c += 4) {
    v128.store(y, f32x4.add(v128.load(a), v128.load(b)));
    y += 16;
    a += 16;
    b += 16;
  }
  for (; c < count; c++) {
    store<f32>(y, load<f32>(a) + load<f32>(b));
    y += 4;
    a += 4;
    b += 4;
  }
}

/**
 * args: N C rows | dy ids order dtable V into. A piece is `rows` rows of the table, whose tokens it finds in the sorted order.
 * scratch: C numbers of float64: one token may be all of a batch.
 */
export function embeddingBackward(args: usize, piece: i32, scratch: usize): void {
  const N = intAt(args, 0);
  const C = intAt(args, 1);
  const first = piece * intAt(args, 2);
  const last = least(intAt(args, 7), first + intAt(args, 2));
  const ids = addressAt(args, 4);
  const order = addressAt(args, 5);
  const table = addressAt(args, 6);
  if (intAt(args, 8) == 0) memory.fill(table + words(C) * <usize>first, 0, words(C) * <usize>(last - first));
  let low = 0;
  let high = N;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(ids + words(load<u32>(order + words(middle)))) < <u32>first) low = middle + 1;
    else high = middle;
  }
  while (low < N) {
    const id = load<u32>(ids + words(load<u32>(order + words(low))));
    if (id >= <u32>last) return;
    const to = table + words(C) * <usize>id;
    for (let c = 0; c < C; c++) store<f64>(scratch + (<usize>c << 3), <f64>load<f32>(to + words(c)));
    for (; low < N; low++) {
      const n = load<u32>(order + words(low));
      if (load<u32>(ids + words(n)) != id) break;
      const dy = addressAt(args, 3) + words(C) * <usize>n;
      for (let c = 0; c < C; c++) {
        const sum = scratch + (<usize>c << 3);
        store<f64>(sum, load<f64>(sum) + <f64>load<f32>(dy + words(c)));
      }
    }
    for (let c = 0; c < C; c++) store<f32>(to + words(c), <f32>load<f64>(scratch + (<usize>c << 3)));
  }
}
