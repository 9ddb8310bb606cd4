import { matmulVariants } from "../../src/kernels/gpu/matmul/variants.ts";

const KINDS = [
  "naive",
  "registers",
  "registers-scalar",
  "subgroup8",
  "subgroup4",
  "subgroup4-few",
  "staged32",
  "vectors",
];

/** One variant of a product of each kind that stores y in a way of its own: for what a product ends with. */
export const storingKinds: readonly string[] = matmulVariants
  .map(({ name }) => name)
  .filter((name) => KINDS.includes(name));
