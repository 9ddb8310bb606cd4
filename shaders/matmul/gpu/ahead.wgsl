// What kernels share that ask for the next slab of K before they multiply this one. A_ALONG_K and B_ALONG_K, the dispatch's, are 1
// where what lies side by side in memory is along K.

// Block n of a tile is n / X % (blocks along its side) along the side, and n / Z % (blocks along k) along k, so that neighbours take
// neighbours in memory. Kernels write that out, with their own number of an invocation: a compiler that knows how large an index
// can be does not check it, and then sees that four stores are one.

// A block's k are k, k + 1, k + 2 and k + 3: zero where they are not below `end`. That a is zero there is enough, since b is finite
// wherever the product is.
fn counted_k(block: mat4x4<Component>, k: u32, end: u32) -> mat4x4<Component> {
  let counts = vec4u(k) + vec4u(0u, 1u, 2u, 3u) < vec4u(end);
  let none = vec4<Component>();
  return mat4x4<Component>(
    select(none, block[0], counts), select(none, block[1], counts), select(none, block[2], counts), select(none, block[3], counts));
}

