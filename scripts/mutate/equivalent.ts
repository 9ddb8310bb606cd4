/** Mutants that compute the same, and why; named by the lines before and after the change. */
export const EQUIVALENT: readonly { shader: string; before: string; after: string; why: string }[] = [];
