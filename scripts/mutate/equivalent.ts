/** Mutants that compute the same, and why; named by the lines before and after the change. */
export const EQUIVALENT: readonly { shader: string; before: string; after: string; why: string }[] = [
  {
    shader: "attention/panel_delta",
    before: "delta[row_at(Place(row / T, index % H, 0u), row % T)] = sum;",
    after: "delta[row_at(Place(row / T, index % H, 1u), row % T)] = sum;",
    why: "row_at does not read the third member of a Place",
  },
  {
    shader: "matmul/b_scalar",
    before: "override B_ALONG_K = B_K == 1u;",
    after: "override B_ALONG_K = B_K == 2u;",
    why: "only which invocation stages which block: every block is staged either way",
  },
];
