/** Mutants that compute the same, and why; named by the lines before and after the change. */
export const EQUIVALENT: readonly { shader: string; before: string; after: string; why: string }[] = [
  {
    shader: "attention/panel_delta",
    before: "delta[row_at(Place(row / u.T, index % u.H, 0u), row % u.T)] = sum;",
    after: "delta[row_at(Place(row / u.T, index % u.H, 1u), row % u.T)] = sum;",
    why: "row_at does not read the third member of a Place",
  },
  {
    shader: "attention/backward_keys",
    before: "let j = min(place.first + r, u.T - 1u);",
    after: "let j = min(place.first + r, u.T + 1u);",
    why: "KEYS is 1 in every dispatch, so j is place.first, which is less than T here",
  },
  {
    shader: "attention/backward_queries",
    before: "q[r * PACKS + d] = qkv[q_from + d] * u.SCALE;",
    after: "q[r + d] = qkv[q_from + d] * u.SCALE;",
    why: "QUERIES is 1 in every dispatch, so r is 0",
  },
  {
    shader: "cached_attention",
    before: "if (part < PARTS) {",
    after: "if (part <= PARTS) {",
    why: "invocations of part PARTS sum what nobody reads: only parts below PARTS are added up",
  },
  {
    shader: "sample/reduce",
    before: "for (var width = LANES / 2u; width > 0u; width /= 2u) {",
    after: "for (var width = LANES * 2u; width > 0u; width /= 2u) {",
    why: "the first rounds read past the end, which WGSL makes some element of the array: the largest stays the largest",
  },
  {
    shader: "lib/row_group",
    before: "for (var width = ROW_WORKGROUP / 2u; width > 0u; width /= 2u) {",
    after: "for (var width = ROW_WORKGROUP * 2u; width > 0u; width /= 2u) {",
    why: "the first rounds read past the end, which WGSL makes some element of the array: the largest stays the largest",
  },
  {
    shader: "matmul/b_rows",
    before: "return vec4u((u.B_START + min(column, u.N - 4u)) / 4u);",
    after: "return vec4u((u.B_START + min(column, u.N + 4u)) / 4u);",
    why: "what is read for columns past the last is never stored, and a read past the end is harmless in WebGPU",
  },
  {
    shader: "attention/backward_queries",
    before: "product[r] += pack_dot(d_out[r * PACKS + d], y[y_from + d]);",
    after: "product[r] += pack_dot(y[y_from + d], d_out[r * PACKS + d]);",
    why: "a dot product is the same either way",
  },
];
