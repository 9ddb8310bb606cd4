import { droppedMatmul } from "./dropped-matmul.ts";
import { geluMatmul } from "./gelu-matmul.ts";
import { layerNorm } from "./layer-norm.ts";
import { layerNormTogether } from "./layer-norm-all.ts";
import type { Traits } from "./traits.ts";

/** Ops that do several things at once. A page loads them with what runs on a GPU. */
export const FUSED_OPS = { layerNorm: layerNormTogether, geluMatmul, droppedMatmul } as const;

export type FusedOps = typeof FUSED_OPS;

/**
 * A GPU waits for memory and between dispatches. On a CPU they would save little, the ops that they stand for have kernels of their own
 * there, and the bits would be others.
 */
export function fusedOps({ software, maxInvocations, maxStorageBuffers }: Traits): FusedOps | undefined {
  if (software) return undefined;
  // What a kernel of LayerNorm's gradients has, and binds, which not every adapter of compatibility mode grants.
  return maxInvocations >= 256 && maxStorageBuffers >= 8 ? FUSED_OPS : { ...FUSED_OPS, layerNorm };
}
