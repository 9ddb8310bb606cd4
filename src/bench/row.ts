import type { Timing } from "./measure.ts";

/** One measurement, as `gpt2 bench --json` prints it. */
export interface Row {
  /** "matmul 512 512 512", "step nanogpt B12 T64": the same for all systems that do the same work. */
  readonly work: string;
  /** "webgpu-gpt2", or a peer's name and version. */
  readonly system: string;
  readonly device: string;
  /** Of one run. Absent where nothing could be measured: `failed` or `skipped` says why. */
  readonly median_ms?: number;
  readonly best_ms?: number;
  readonly samples?: number;
  readonly gflops_per_s?: number;
  readonly gb_per_s?: number;
  /** How near to the adapter's measured arithmetic or copying, whichever limits the work: the least time / the time. */
  readonly fraction_of_peak?: number;
  readonly limited_by?: "arithmetic" | "memory";
  /** Distance of the result from the reference, relative L2, before anything was timed. */
  readonly error?: number;
  readonly failed?: string;
  readonly skipped?: string;
  /** What else a kind of work has to say: tokens_per_s, dispatches, host_ms. */
  readonly [more: string]: unknown;
}

export const OURS = "webgpu-gpt2";

export function timingOf({ medianMs, bestMs, samples }: Timing) {
  return { median_ms: medianMs, best_ms: bestMs, samples };
}
