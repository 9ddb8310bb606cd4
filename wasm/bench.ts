import { addressAt, intAt, least, words } from "./args";

/** args: steps | y: multiply-adds in registers, 13 chains of 4 numbers, 4 steps at a time: what `product` is measured by. */
export function peak(args: usize, piece: i32, _scratch: usize): void {
  let x = f32x4.splat(0.5);
  const s = f32x4.splat(0.25);
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
  for (let i = 0; i < steps; i++) {
    x = f32x4.add(x, s);
    c0 = f32x4.add(f32x4.mul(x, s), c0);
    c1 = f32x4.add(f32x4.mul(x, x), c1);
    c2 = f32x4.add(f32x4.mul(x, s), c2);
    c3 = f32x4.add(f32x4.mul(x, x), c3);
    c4 = f32x4.add(f32x4.mul(x, s), c4);
    c5 = f32x4.add(f32x4.mul(x, x), c5);
    c6 = f32x4.add(f32x4.mul(x, s), c6);
    c7 = f32x4.add(f32x4.mul(x, x), c7);
    c8 = f32x4.add(f32x4.mul(x, s), c8);
    c9 = f32x4.add(f32x4.mul(x, x), c9);
    ca = f32x4.add(f32x4.mul(x, s), ca);
    cb = f32x4.add(f32x4.mul(x, x), cb);
    cc = f32x4.add(f32x4.mul(x, s), cc);
    x = f32x4.add(x, s);
    c0 = f32x4.add(f32x4.mul(x, s), c0);
    c1 = f32x4.add(f32x4.mul(x, x), c1);
    c2 = f32x4.add(f32x4.mul(x, s), c2);
    c3 = f32x4.add(f32x4.mul(x, x), c3);
    c4 = f32x4.add(f32x4.mul(x, s), c4);
    c5 = f32x4.add(f32x4.mul(x, x), c5);
    c6 = f32x4.add(f32x4.mul(x, s), c6);
    c7 = f32x4.add(f32x4.mul(x, x), c7);
    c8 = f32x4.add(f32x4.mul(x, s), c8);
    c9 = f32x4.add(f32x4.mul(x, x), c9);
    ca = f32x4.add(f32x4.mul(x, s), ca);
    cb = f32x4.add(f32x4.mul(x, x), cb);
    cc = f32x4.add(f32x4.mul(x, s), cc);
    x = f32x4.add(x, s);
    c0 = f32x4.add(f32x4.mul(x, s), c0);
    c1 = f32x4.add(f32x4.mul(x, x), c1);
    c2 = f32x4.add(f32x4.mul(x, s), c2);
    c3 = f32x4.add(f32x4.mul(x, x), c3);
    c4 = f32x4.add(f32x4.mul(x, s), c4);
    c5 = f32x4.add(f32x4.mul(x, x), c5);
    c6 = f32x4.add(f32x4.mul(x, s), c6);
    c7 = f32x4.add(f32x4.mul(x, x), c7);
    c8 = f32x4.add(f32x4.mul(x, s), c8);
    c9 = f32x4.add(f32x4.mul(x, x), c9);
    ca = f32x4.add(f32x4.mul(x, s), ca);
    cb = f32x4.add(f32x4.mul(x, x), cb);
    cc = f32x4.add(f32x4.mul(x, s), cc);
    x = f32x4.add(x, s);
    c0 = f32x4.add(f32x4.mul(x, s), c0);
    c1 = f32x4.add(f32x4.mul(x, x), c1);
    c2 = f32x4.add(f32x4.mul(x, s), c2);
    c3 = f32x4.add(f32x4.mul(x, x), c3);
    c4 = f32x4.add(f32x4.mul(x, s), c4);
    c5 = f32x4.add(f32x4.mul(x, x), c5);
    c6 = f32x4.add(f32x4.mul(x, s), c6);
    c7 = f32x4.add(f32x4.mul(x, x), c7);
    c8 = f32x4.add(f32x4.mul(x, s), c8);
    c9 = f32x4.add(f32x4.mul(x, x), c9);
    ca = f32x4.add(f32x4.mul(x, s), ca);
    cb = f32x4.add(f32x4.mul(x, x), cb);
    cc = f32x4.add(f32x4.mul(x, s), cc);
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
