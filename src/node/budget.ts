import { freeMemory } from "../platform/node.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { MemoryBudget } from "../train/fit.ts";

/** Of what is free, for the rest of this process and of the machine: a machine without memory is slower than any plan. */
const KEPT_FREE = 0.1;

/**
 * What this machine has free where the CPU does the work; nothing for a hardware GPU, whose memory WebGPU does not tell. `remedy`
 * follows "this machine has free".
 */
export function machineBudget(
  { traits }: Pick<Runtime, "traits">,
  remedy = "",
  free: () => number = freeMemory,
): MemoryBudget | undefined {
  if (!traits.software) return undefined;
  return { bytes: Math.floor((1 - KEPT_FREE) * free()), because: `this machine has free${remedy}` };
}
