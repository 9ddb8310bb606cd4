import { addressAt, intAt, least, words } from "./args";

/**
 * args: steps | y: multiply-adds in registers, 13 chains of 4 numbers, 2 steps at a time: what `product` is measured by. So many
 * chains keep the units busy in spite of their latency, and each product is one of its own.
 */
export function peak(args: usize, piece: i32, _scratch: usize): void {
  const x = f32x4.splat(0.5);
  let c0 = f32x4.splat(0);
  let c1 = f32x4.splat(1);
  let c2 = f32x4.splat(2);
  let c3 = f32x4.splat(3);
  let c4 = f32x4.splat(4);
  let c5 = f32x4.splat(5);
  let c6 = f32x4.splat(6);
  let c7 = f32x4.splat(7);
  let c8 = f32x4.splat(8);
  let c9 = f32x4.splat(9);
  let ca = f32x4.splat(10);
  let cb = f32x4.splat(11);
  let cc = f32x4.splat(12);
  const steps = intAt(args, 0);
  for (let i = 0; i < steps; i += 2) {
    c0 = f32x4.add(f32x4.mul(c0, x), x);
    c1 = f32x4.add(f32x4.mul(c1, x), x);
    c2 = f32x4.add(f32x4.mul(c2, x), x);
    c3 = f32x4.add(f32x4.mul(c3, x), x);
    c4 = f32x4.add(f32x4.mul(c4, x), x);
    c5 = f32x4.add(f32x4.mul(c5, x), x);
    c6 = f32x4.add(f32x4.mul(c6, x), x);
    c7 = f32x4.add(f32x4.mul(c7, x), x);
    c8 = f32x4.add(f32x4.mul(c8, x), x);
    c9 = f32x4.add(f32x4.mul(c9, x), x);
    ca = f32x4.add(f32x4.mul(ca, x), x);
    cb = f32x4.add(f32x4.mul(cb, x), x);
    cc = f32x4.add(f32x4.mul(cc, x), x);
    c0 = f32x4.add(f32x4.mul(c0, x), x);
    c1 = f32x4.add(f32x4.mul(c1, x), x);
    c2 = f32x4.add(f32x4.mul(c2, x), x);
    c3 = f32x4.add(f32x4.mul(c3, x), x);
    c4 = f32x4.add(f32x4.mul(c4, x), x);
    c5 = f32x4.add(f32x4.mul(c5, x), x);
    c6 = f32x4.add(f32x4.mul(c6, x), x);
    c7 = f32x4.add(f32x4.mul(c7, x), x);
    c8 = f32x4.add(f32x4.mul(c8, x), x);
    c9 = f32x4.add(f32x4.mul(c9, x), x);
    ca = f32x4.add(f32x4.mul(ca, x), x);
    cb = f32x4.add(f32x4.mul(cb, x), x);
    cc = f32x4.add(f32x4.mul(cc, x), x);
  }
  let t = f32x4.add(f32x4.add(f32x4.add(c0, c1), f32x4.add(c2, c3)), f32x4.add(f32x4.add(c4, c5), f32x4.add(c6, c7)));
  t = f32x4.add(t, f32x4.add(f32x4.add(f32x4.add(c8, c9), f32x4.add(ca, cb)), cc));
  v128.store(addressAt(args, 1) + ((<usize>piece) << 4), t);
}

/** args: N chunk | x y: y = x. */
export function copy(args: usize, piece: i32, _scratch: usize): void {
  const first = piece * intAt(args, 1);
  const count = least(intAt(args, 1), intAt(args, 0) - first);
  memory.copy(addressAt(args, 3) + words(first), addressAt(args, 2) + words(first), words(count));
}
