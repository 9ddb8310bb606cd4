// What the workgroups that are z-th along z compute: one of a batch of products, and of it a stretch of K.
struct Work {
  // where a, b and y begin
  a: u32,
  b: u32,
  y: u32,
  // the first k, and the one behind the last
  k: u32,
  end: u32,
}

// a / b, exact for a below 2^20, whatever 2.5 units in the last place of a division are: software drivers divide integers
// lane by lane, which would be a twentieth of a product.
fn quotient(a: u32, b: u32) -> u32 {
  return u32((f32(a) + 0.5) / f32(b));
}

fn work_of(z: u32) -> Work {
  let product = quotient(z, u.SPLITS);
  let split = z - product * u.SPLITS;
  let outer = quotient(product, u.INNER);
  let inner = product - outer * u.INNER;
  return Work(
    u.A_START + outer * u.A_OUTER + inner * u.A_INNER,
    u.B_START + outer * u.B_OUTER + inner * u.B_INNER,
    u.Y_START + outer * u.Y_OUTER + inner * u.Y_INNER + split * u.M * u.Y_ROW,
    split * u.K_STEP,
    min(u.K, (split + 1u) * u.K_STEP),
  );
}

