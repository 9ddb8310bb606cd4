import type { AnyOp } from "../op.ts";
import { accumulateWasm } from "./accumulate.ts";
import { adamwWasm } from "./adamw.ts";
import { addWasm } from "./add.ts";
import { attentionBackwardWasm, attentionWasm } from "./attention.ts";
import { cacheAppendWasm, cachedAttentionWasm } from "./cached-attention.ts";
import { columnSumWasm } from "./column-sum.ts";
import { crossEntropyBackwardWasm, crossEntropyWasm } from "./cross-entropy.ts";
import { dropoutWasm } from "./dropout.ts";
import { embeddingBackwardWasm, embeddingWasm } from "./embedding.ts";
import { geluBackwardWasm, geluWasm } from "./gelu.ts";
import { gradientNormWasm } from "./gradient-norm.ts";
import type { AnyKernelOf } from "./kernel.ts";
import { layerNormBackwardWasm, layerNormParametersWasm, layerNormWasm } from "./layer-norm.ts";
import { matmulWasm } from "./matmul.ts";
import { normalizedMatmulWasm } from "./normalized-matmul.ts";
import { sampleTokenWasm } from "./sample-token.ts";
import { scaleWasm } from "./scale.ts";
import { scaledFillWasm, scaledSumWasm } from "./scaled-sum.ts";
import { topTokensWasm } from "./top-tokens.ts";

/** Of ops of `OPS`; for the others the `cpu` loop runs. */
export const WASM_KERNELS: readonly AnyKernelOf[] = [
  accumulateWasm,
  adamwWasm,
  addWasm,
  attentionBackwardWasm,
  attentionWasm,
  cacheAppendWasm,
  cachedAttentionWasm,
  columnSumWasm,
  crossEntropyBackwardWasm,
  crossEntropyWasm,
  dropoutWasm,
  embeddingBackwardWasm,
  embeddingWasm,
  geluBackwardWasm,
  geluWasm,
  gradientNormWasm,
  layerNormBackwardWasm,
  layerNormParametersWasm,
  layerNormWasm,
  matmulWasm,
  normalizedMatmulWasm,
  sampleTokenWasm,
  scaleWasm,
  scaledFillWasm,
  scaledSumWasm,
  topTokensWasm,
];

/** By `shapes`, which copies of an op keep, as one with other cases. */
const kernels = new Map(WASM_KERNELS.map(({ op, wasm }) => [op.shapes, wasm]));

/** What WebAssembly does for an op: what its spec says, or, for one of ours, what this folder says. Undefined: the `cpu` loop runs. */
export function wasmKernelOf(op: AnyOp): AnyOp["wasm"] {
  return op.wasm ?? kernels.get(op.shapes);
}
