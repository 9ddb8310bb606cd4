import { Option } from "commander";
import { machineBudget } from "../node/budget.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { MemoryBudget } from "../train/fit.ts";
import { numberBetween } from "./numbers.ts";

const GIB = 2 ** 30;

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
  runtime: Pick<Runtime, "traits">,
  gib: number | undefined,
  free?: () => number,
): MemoryBudget | undefined {
  if (gib !== undefined) return { bytes: gib * GIB, because: "--memory allows" };
  return machineBudget(runtime, " (--memory overrides)", free);
}
