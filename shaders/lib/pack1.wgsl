// Pack of one element: see lib/pack4.wgsl.
alias Pack = f32;
const PACK = 1u;

fn pack_dot(a: Pack, b: Pack) -> f32 {
  return a * b;
}

fn pack_sum(a: Pack) -> f32 {
  return a;
}

