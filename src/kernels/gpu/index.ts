import type { AnyGpuKernel, AnyOp } from "../op.ts";
import { accumulateGpu } from "./accumulate.ts";
import { adamwGpu } from "./adamw.ts";
import { addGpu } from "./add.ts";
import { attentionBackwardGpu, attentionGpu } from "./attention.ts";
import { attentionWeightsGpu } from "./attention-weights.ts";
import { cacheAppendGpu, cachedAttentionGpu } from "./cached-attention.ts";
import { castGpu } from "./cast.ts";
import { columnSumGpu } from "./column-sum.ts";
import { crossEntropyBackwardGpu, crossEntropyGpu } from "./cross-entropy.ts";
import { dropoutGpu } from "./dropout.ts";
import { droppedMatmulGpu } from "./dropped-matmul.ts";
import { embeddingBackwardGpu, embeddingGpu } from "./embedding.ts";
import { geluBackwardGpu, geluGpu } from "./gelu.ts";
import { geluMatmulGpu } from "./gelu-matmul.ts";
import { gradientNormGpu } from "./gradient-norm.ts";
import type { AnyKernelOf } from "./kernel.ts";
import { layerNormAllBackwardGpu, layerNormBackwardGpu, layerNormGpu, layerNormParametersGpu } from "./layer-norm.ts";
import { lossScalerGpu } from "./loss-scaler.ts";
import { matmulGpu } from "./matmul.ts";
import { normalizedMatmulGpu } from "./normalized-matmul.ts";
import { sampleTokenGpu } from "./sample-token.ts";
import { scaleGpu } from "./scale.ts";
import { scaledFillGpu, scaledSumGpu } from "./scaled-sum.ts";
import { topTokensGpu } from "./top-tokens.ts";

/** Of every op of `OPS`. */
export const GPU_KERNELS: readonly AnyKernelOf[] = [
  accumulateGpu,
  adamwGpu,
  addGpu,
  attentionBackwardGpu,
  attentionGpu,
  attentionWeightsGpu,
  cacheAppendGpu,
  cachedAttentionGpu,
  castGpu,
  columnSumGpu,
  crossEntropyBackwardGpu,
  crossEntropyGpu,
  dropoutGpu,
  droppedMatmulGpu,
  embeddingBackwardGpu,
  embeddingGpu,
  geluBackwardGpu,
  geluMatmulGpu,
  geluGpu,
  gradientNormGpu,
  layerNormAllBackwardGpu,
  layerNormBackwardGpu,
  layerNormGpu,
  layerNormParametersGpu,
  lossScalerGpu,
  matmulGpu,
  normalizedMatmulGpu,
  sampleTokenGpu,
  scaleGpu,
  scaledFillGpu,
  scaledSumGpu,
  topTokensGpu,
];

/** By `shapes`, which copies of an op keep, as one with other cases. */
const kernels = new Map<AnyOp["shapes"], AnyGpuKernel>(GPU_KERNELS.map((kernel) => [kernel.op.shapes, kernel]));

/** What a GPU does for an op: what its spec says, or, for one of ours, what this folder says. */
export function gpuKernelOf(op: AnyOp): AnyGpuKernel {
  const kernel = op.gpu ? (op as AnyGpuKernel) : kernels.get(op.shapes);
  if (!kernel) throw new Error(`${op.name}: has no kernel for a GPU; give its spec \`gpu\`, or run it on the CPU`);
  return kernel;
}
