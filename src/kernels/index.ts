import { accumulateOp } from "./accumulate.ts";
import { adamwOp } from "./adamw.ts";
import { addOp } from "./add.ts";
import { attentionBackwardOp, attentionOp } from "./attention.ts";
import { attentionWeightsOp } from "./attention-weights.ts";
import { cacheAppendOp, cachedAttentionOp } from "./cached-attention.ts";
import { castOp } from "./cast.ts";
import { columnSumOp } from "./column-sum.ts";
import { crossEntropyBackwardOp, crossEntropyOp } from "./cross-entropy.ts";
import { dropoutOp } from "./dropout.ts";
import { droppedMatmulOp } from "./dropped-matmul.ts";
import { embeddingBackwardOp, embeddingOp } from "./embedding.ts";
import { geluBackwardOp, geluOp } from "./gelu.ts";
import { geluMatmulOp } from "./gelu-matmul.ts";
import { gradientNormOp } from "./gradient-norm.ts";
import { layerNormBackwardOp, layerNormOp, layerNormParametersOp } from "./layer-norm.ts";
import { layerNormAllBackwardOp } from "./layer-norm-all.ts";
import { lossScalerOp } from "./loss-scaler.ts";
import { matmulOp } from "./matmul.ts";
import { normalizedMatmulOp } from "./normalized-matmul.ts";
import type { AnyOp } from "./op.ts";
import { sampleTokenOp } from "./sample-token.ts";
import { scaleOp } from "./scale.ts";
import { scaledFillOp, scaledSumOp } from "./scaled-sum.ts";
import { topTokensOp } from "./top-tokens.ts";

/** Every op, for whoever checks or lists them all. */
export const OPS: readonly AnyOp[] = [
  accumulateOp,
  adamwOp,
  addOp,
  attentionBackwardOp,
  attentionOp,
  attentionWeightsOp,
  cacheAppendOp,
  cachedAttentionOp,
  castOp,
  columnSumOp,
  crossEntropyBackwardOp,
  crossEntropyOp,
  dropoutOp,
  droppedMatmulOp,
  embeddingBackwardOp,
  embeddingOp,
  geluBackwardOp,
  geluMatmulOp,
  geluOp,
  gradientNormOp,
  layerNormAllBackwardOp,
  layerNormBackwardOp,
  layerNormOp,
  layerNormParametersOp,
  lossScalerOp,
  matmulOp,
  normalizedMatmulOp,
  sampleTokenOp,
  scaledFillOp,
  scaledSumOp,
  scaleOp,
  topTokensOp,
];
