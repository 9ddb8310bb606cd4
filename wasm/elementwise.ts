import { addressAt, floatAt, intAt, least, words } from "./args";
import { geluErf, geluErfSlope, geluTanh, geluTanhSlope, loadTail, storeTail } from "./math";
import { sumOf } from "./rows";

// Ops that take each element by itself. A piece is args[1] of the args[0] elements.

// @ts-expect-error: decorator
@inline
function countOf(args: usize, piece: i32): i32 {
  return least(intAt(args, 1), intAt(args, 0) - piece * intAt(args, 1));
}

// @ts-expect-error: decorator
@inline
function startOf(args: usize, piece: i32): usize {
  return words(intAt(args, 1)) * <usize>piece;
}

/** args: N chunk | a b y; y = a + b. y may be a. */
export function add(args: usize, piece: i32, _scratch: usize): void {
  const count = countOf(args, piece);
  const start = startOf(args, piece);
  let a = addressAt(args, 2) + start;
  let b = addressAt(args, 3) + start;
  let y = addressAt(args, 4) + start;
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    v128.store(y, f32x4.add(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
    y += 16;
  }
  if (i < count) storeTail(y, count - i, f32x4.add(loadTail(a, count - i, 0), loadTail(b, count - i, 0)));
}

/** args: N chunk | x y step; y = x in the first micro-batch of a step, y + x in the others. */
export function accumulate(args: usize, piece: i32, _scratch: usize): void {
  const count = countOf(args, piece);
  const start = startOf(args, piece);
  let x = addressAt(args, 2) + start;
  let y = addressAt(args, 3) + start;
  if (load<u32>(addressAt(args, 4), 28) == 0) {
    memory.copy(y, x, words(count));
    return;
  }
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    v128.store(y, f32x4.add(v128.load(y), v128.load(x)));
    x += 16;
    y += 16;
  }
  for (; i < count; i++) {
    store<f32>(y, load<f32>(y) + load<f32>(x));
    x += 4;
    y += 4;
  }
}

/** args: N chunk | x y factor */
export function scale(args: usize, piece: i32, _scratch: usize): void {
  const count = countOf(args, piece);
  const start = startOf(args, piece);
  let x = addressAt(args, 2) + start;
  let y = addressAt(args, 3) + start;
  const factor = floatAt(args, 4);
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    v128.store(y, f32x4.mul(v128.load(x), f32x4.splat(factor)));
    x += 16;
    y += 16;
  }
  for (; i < count; i++) {
    store<f32>(y, load<f32>(x) * factor);
    x += 4;
    y += 4;
  }
}

/** args: N chunk | dy y step; y = lossScale dy[0]. */
export function scaledFill(args: usize, piece: i32, _scratch: usize): void {
  const count = countOf(args, piece);
  let y = addressAt(args, 3) + startOf(args, piece);
  const value = load<f32>(addressAt(args, 2)) * load<f32>(addressAt(args, 4), 16);
  for (let i = 0; i < count; i++) {
    store<f32>(y, value);
    y += 4;
  }
}

/** args: N chunk | x y step; y[0] = lossScale sum of x: one piece, summed in blocks. */
export function scaledSum(args: usize, _piece: i32, _scratch: usize): void {
  const total = sumOf(addressAt(args, 2), intAt(args, 0));
  store<f32>(addressAt(args, 3), <f32>(total * <f64>load<f32>(addressAt(args, 4), 16)));
}

/** args: N chunk | x y exact */
export function gelu(args: usize, piece: i32, _scratch: usize): void {
  const count = countOf(args, piece);
  const start = startOf(args, piece);
  let x = addressAt(args, 2) + start;
  let y = addressAt(args, 3) + start;
  const exact = intAt(args, 4) != 0;
  let i = 0;
  if (exact) {
    for (; i + 4 <= count; i += 4) {
      v128.store(y, geluErf(v128.load(x)));
      x += 16;
      y += 16;
    }
  } else {
    for (; i + 4 <= count; i += 4) {
      v128.store(y, geluTanh(v128.load(x)));
      x += 16;
      y += 16;
    }
  }
  if (i < count) {
    const tail = loadTail(x, count - i, 0);
    storeTail(y, count - i, exact ? geluErf(tail) : geluTanh(tail));
  }
}

/** args: N chunk | x dy dx exact */
export function geluBackward(args: usize, piece: i32, _scratch: usize): void {
  const count = countOf(args, piece);
  const start = startOf(args, piece);
  let x = addressAt(args, 2) + start;
  let dy = addressAt(args, 3) + start;
  let dx = addressAt(args, 4) + start;
  const exact = intAt(args, 5) != 0;
  let i = 0;
  if (exact) {
    for (; i + 4 <= count; i += 4) {
      v128.store(dx, f32x4.mul(geluErfSlope(v128.load(x)), v128.load(dy)));
      x += 16;
      dy += 16;
      dx += 16;
    }
  } else {
    for (; i + 4 <= count; i += 4) {
      v128.store(dx, f32x4.mul(geluTanhSlope(v128.load(x)), v128.load(dy)));
      x += 16;
      dy += 16;
      dx += 16;
    }
  }
  if (i < count) {
    const tail = loadTail(x, count - i, 0);
    const slope = exact ? geluErfSlope(tail) : geluTanhSlope(tail);
    storeTail(dx, count - i, f32x4.mul(slope, loadTail(dy, count - i, 0)));
  }
}
