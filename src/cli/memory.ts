import { Option } from "commander";
import { freeMemory } from "../platform/node.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { MemoryBudget } from "../train/fit.ts";
import { numberBetween } from "./numbers.ts";

const GIB = 2 ** 30;
/** Of what is free, for the rest of this process and of the machine: a machine without memory is slower than any plan. */
const KEPT_FREE = 0.1;

/** `--memory`, in GiB. */
export function memoryOption(): Option {
  return new Option(
    "--memory <GiB>",
    "most that a run may take; default: what is free, where the CPU does the work; a GPU is asked",
  ).argParser(numberBetween(0, Number.POSITIVE_INFINITY));
}

/**
 * What a run may take: `gib`, or what this machine has free where the CPU does the work.
 * Nothing for a hardware GPU, whose memory WebGPU does not tell.
 */
export function memoryBudget(
  { traits }: Pick<Runtime, "traits">,
  gib: number | undefined,
  free = freeMemory,
): MemoryBudget | undefined {
  if (gib !== undefined) return { bytes: gib * GIB, because: "--memory allows" };
  if (!traits.software) return undefined;
  const bytes = Math.floor((1 - KEPT_FREE) * free());
  return { bytes, because: "this machine has free (--memory overrides)" };
}
