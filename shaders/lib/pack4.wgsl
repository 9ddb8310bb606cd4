// Pack: what one load brings. With this file it is 4 neighbours in a row; with lib/pack1.wgsl it is 1,
// for rows whose length is not a multiple of 4. Shaders written with Pack serve both.
alias Pack = vec4f;
const PACK = 4u;

fn pack_dot(a: Pack, b: Pack) -> f32 {
  return dot(a, b);
}

fn pack_sum(a: Pack) -> f32 {
  return (a.x + a.y) + (a.z + a.w);
}

