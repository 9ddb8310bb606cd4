// The WebAssembly module of src/runtime/wasm/, in AssemblyScript: a strict subset of TypeScript with f32x4 as a type.
// `npm run wasm` compiles it. Kernels are exported under the names by which ops call them.

export { attention, attentionBackward, cacheAppend, cachedAttention } from "./attention";
export { copy, peak } from "./bench";
export { dotsBytes4, embeddingBytes, matmulBytesFewRows, rowsBytes8 } from "./byte-matrix";
export { cacheAppendBytes, cachedAttentionBytes } from "./cache-bytes";
export { accumulate, add, gelu, geluBackward, scale, scaledFill, scaledSum } from "./elementwise";
export { dots24, dots4, matmul, matmulFewRows, matmulPack, rows8, tile4, tile5 } from "./matmul";
export { adamw, gradientNorm, gradientNormParts } from "./optimizer";
export { dropout } from "./random";
export {
  columnSumParts,
  crossEntropy,
  crossEntropyBackward,
  embedding,
  embeddingBackward,
  layerNorm,
  layerNormBackward,
  layerNormParameterParts,
  sumParts,
} from "./rows";
export { sampleToken, topTokens } from "./sampling";
export { finished, help, serve } from "./threads";
