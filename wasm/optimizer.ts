import { addressAt, floatAt, intAt, least, words } from "./args";

// Over whole arenas, a chunk a piece: each number is read once and written once.

/** Magnitudes above this are not finite; see src/kernels/gradient-norm.ts. */
const LARGEST: f32 = 1e30;

/** args: N chunk | gradients partials: of each chunk the sum of squares, f64, and whether a number is bad, f64. */
export function gradientNormParts(args: usize, piece: i32, _scratch: usize): void {
  const first = piece * intAt(args, 1);
  const count = least(intAt(args, 1), intAt(args, 0) - first);
  let at = addressAt(args, 2) + words(first);
  let low = f64x2.splat(0);
  let high = low;
  let good = i32x4.splat(-1);
  const largest = f32x4.splat(LARGEST);
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    const x = v128.load(at);
    good = v128.and(good, f32x4.le(f32x4.abs(x), largest));
    const a = f64x2.promote_low_f32x4(x);
    const b = f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 1));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
    at += 16;
  }
  let sum =
    f64x2.extract_lane(low, 0) +
    f64x2.extract_lane(high, 0) +
    (f64x2.extract_lane(low, 1) + f64x2.extract_lane(high, 1));
  let bad: f64 = i32x4.all_true(good) ? 0 : 1;
  for (; i < count; i++) {
    const x = load<f32>(at);
    sum += <f64>x * <f64>x;
    if (!(abs(x) <= LARGEST)) bad = 1;
    at += 4;
  }
  const to = addressAt(args, 3) + ((<usize>piece) << 4);
  store<f64>(to, sum);
  store<f64>(to, bad, 8);
}

/** args: P | partials loss scaler before stats maxNorm */
export function gradientNorm(args: usize, _piece: i32, _scratch: usize): void {
  const P = intAt(args, 0);
  const loss = load<f32>(addressAt(args, 2));
  const scaler = addressAt(args, 3);
  const before = addressAt(args, 4);
  const stats = addressAt(args, 5);
  const maxNorm = <f64>floatAt(args, 6);
  const scale: f64 = scaler ? <f64>load<f32>(scaler) : 1;
  let sum: f64 = before ? <f64>load<f32>(before) * scale : 0;
  sum *= sum;
  let healthy = abs(loss) <= LARGEST && (before == 0 || load<f32>(before, 8) != 0);
  let at = addressAt(args, 1);
  for (let p = 0; p < P; p++) {
    sum += load<f64>(at);
    if (load<f64>(at, 8) != 0) healthy = false;
    at += 16;
  }
  if (!(sum <= <f64>LARGEST)) healthy = false;
  const norm = sqrt<f64>(sum) / scale;
  let clip: f64 = 1;
  if (maxNorm > 0 && maxNorm / (norm + 1e-6) < 1) clip = maxNorm / (norm + 1e-6);
  store<f32>(stats, <f32>norm);
  store<f32>(stats, <f32>(clip / scale), 4);
  store<f32>(stats, healthy ? 1 : 0, 8);
  store<f32>(stats, <f32>scale, 12);
}

/** args: N chunk | parameters gradients m v step stats decayed beta1 rest1 beta2 rest2 epsilon weightDecay rateFactor */
export function adamw(args: usize, piece: i32, _scratch: usize): void {
  const stats = addressAt(args, 7);
  if (load<f32>(stats, 8) != 1) return;
  const step = addressAt(args, 6);
  const clip = load<f32>(stats, 4);
  const rate = load<f32>(step, 12) * floatAt(args, 15);
  const c1 = load<f32>(step, 20);
  const c2 = load<f32>(step, 24);
  const decay = <f32>1 - rate * floatAt(args, 14);
  const first = piece * intAt(args, 1);
  const last = least(intAt(args, 0), first + intAt(args, 1));
  const border = least(last, max(first, intAt(args, 8)));
  stretch(args, first, border, clip, rate, decay, c1, c2);
  stretch(args, border, last, clip, rate, 1, c1, c2);
}

function stretch(args: usize, first: i32, last: i32, clip: f32, rate: f32, decay: f32, c1: f32, c2: f32): void {
  const beta1 = floatAt(args, 9);
  const rest1 = floatAt(args, 10);
  const beta2 = floatAt(args, 11);
  const rest2 = floatAt(args, 12);
  const epsilon = floatAt(args, 13);
  const start = words(first);
  let p = addressAt(args, 2) + start;
  let g = addressAt(args, 3) + start;
  let m = addressAt(args, 4) + start;
  let v = addressAt(args, 5) + start;
  let i = first;
  for (; i + 4 <= last; i += 4) {
    const gradient = f32x4.mul(v128.load(g), f32x4.splat(clip));
    const newM = f32x4.add(f32x4.mul(f32x4.splat(beta1), v128.load(m)), f32x4.mul(f32x4.splat(rest1), gradient));
    const square = f32x4.mul(f32x4.mul(f32x4.splat(rest2), gradient), gradient);
    const newV = f32x4.add(f32x4.mul(f32x4.splat(beta2), v128.load(v)), square);
    const below = f32x4.add(f32x4.sqrt(f32x4.mul(newV, f32x4.splat(c2))), f32x4.splat(epsilon));
    const direction = f32x4.div(f32x4.mul(newM, f32x4.splat(c1)), below);
    const old = f32x4.mul(v128.load(p), f32x4.splat(decay));
    v128.store(p, f32x4.sub(old, f32x4.mul(f32x4.splat(rate), direction)));
    v128.store(m, newM);
    v128.store(v, newV);
    p += 16;
    g += 16;
    m += 16;
    v += 16;
  }
  for (; i < last; i++) {
    const gradient = load<f32>(g) * clip;
    const newM = beta1 * load<f32>(m) + rest1 * gradient;
    const newV = beta2 * load<f32>(v) + rest2 * gradient * gradient;
    const direction = (newM * c1) / (sqrt(newV * c2) + epsilon);
    store<f32>(p, load<f32>(p) * decay - rate * direction);
    store<f32>(m, newM);
    store<f32>(v, newV);
    p += 4;
    g += 4;
    m += 4;
    v += 4;
  }
}
