// What kernels share that ask for the next slab of K, DEPTH long, before they multiply this one.

// Where the slab that counts from `start` on is read from: no slab but a whole K's reaches past the end, so that where its blocks lie is
// added up once, and nothing is compared with K for each of them. The last slab may read again what counted before; that counts as zero.
fn slab_at(start: u32) -> u32 {
  return min(start, max((u.K + 3u) / 4u * 4u, DEPTH) - DEPTH);
}

// Whether k counts, from `start` and up to `end`.
fn counts_from(start: u32, end: u32, k: vec4u) -> vec4<bool> {
  return k - start < vec4u(end - start);
}
