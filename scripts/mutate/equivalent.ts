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
  {
    shader: "sample/choose",
    before: "above = workgroupUniformLoad(&found_above);",
    after: "",
    why: "only invocation 0 uses it, and has counted it itself",
  },
  {
    shader: "add",
    before: "for (var i = start; i < min(start + 4u, u.N); i++) {",
    after: "for (var i = start; i < min(start + 5u, u.N); i++) {",
    why: "the fifth element is the next invocation's first: both write the same",
  },
  {
    shader: "matmul/finish_bias",
    before: "return product + bias[(u.BIAS_START + column) / CELL];",
    after: "return product + bias[(column + u.BIAS_START) / CELL];",
    why: "a sum is the same either way",
  },
  {
    shader: "lib/gelu",
    before: "return select(tail, 1.0 - tail, x >= Pack(0.0)) + c * 0.3989422804014327 * e;",
    after: "return select(tail, 1.0 - tail, x > Pack(0.0)) + c * 0.3989422804014327 * e;",
    why: "at 0 the tail is 1/2, and so is what is left of 1",
  },
  {
    shader: "matmul/staged_32x32",
    before: "if (column >= u.N) {",
    after: "if (false) {",
    why: "it spares work: what lies past the last column is not stored",
  },
  {
    shader: "lib/row_alone",
    before: "const ROW_WORKGROUP = 16u;",
    after: "const ROW_WORKGROUP = 17u;",
    why: "the last workgroups have invocations too many, which the row's number keeps from doing anything",
  },
  {
    shader: "attention/packed",
    before: "return starts[b * u.T + min(i, u.T - 1u)];",
    after: "return starts[b * u.T + min(i, u.T)];",
    why: "only rows past the last read another start, and what they compute is used by nobody",
  },
  {
    shader: "attention/panel_keys",
    before: "if (j >= min(u.T, rows_end())) { return; }",
    after: "if (false) { return; }",
    why: "it spares work: later keys get zeros, which the slices with their own rows replace",
  },
];
