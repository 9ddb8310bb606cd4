import type { Gpu } from "../gpu/device.ts";

/** How long to measure: samples, of which the median counts, each of runs that are queued together. */
export interface Effort {
  readonly samples: number;
  /** Milliseconds that a sample should take: many times what a wait is late by, about 1 ms. */
  readonly sampleMs: number;
}

export const FULL_EFFORT: Effort = { samples: 7, sampleMs: 60 };
export const QUICK_EFFORT: Effort = { samples: 3, sampleMs: 10 };

/** A GPU that had nothing to do runs slower until it has been busy for a while: milliseconds of work before its times count. */
const WARM_MS = 150;

/** Runs queued at once: more would only fill the driver's memory with command buffers. */
const MOST_RUNS = 256;

const LONG_MS = 500;
const FEW_SAMPLES = 3;

export interface Timing {
  /** Milliseconds of one run. */
  readonly medianMs: number;
  /** The fastest sample, for those who want to know how noisy the machine was. */
  readonly bestMs: number;
  readonly samples: number;
  /** Runs of one sample. */
  readonly runs: number;
}

/** Settles when the device has done all that was submitted. */
export function drained(gpu: Gpu): Promise<void> {
  return gpu.wait(() => gpu.device.queue.onSubmittedWorkDone() as Promise<void>);
}

/** Times `run`, which queues work and reads nothing back. It has run once before, so nothing is compiled meanwhile. */
export async function timeQueued(gpu: Gpu, run: () => void, effort: Effort): Promise<Timing> {
  const sample = async (runs: number): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < runs; i++) run();
    await drained(gpu);
    return (performance.now() - start) / runs;
  };
  await drained(gpu);
  const start = performance.now();
  while (gpu.kind === "hardware" && performance.now() - start < WARM_MS) await sample(1);
  const one = await sample(1);
  // A single short run is mostly the wait for it: look again with several.
  const guess = one < effort.sampleMs / 4 ? await sample(4) : one;
  const runs = Math.max(1, Math.min(MOST_RUNS, Math.round(effort.sampleMs / guess)));
  // Long runs vary less, and there are many works.
  const samples = guess > LONG_MS ? Math.min(effort.samples, FEW_SAMPLES) : effort.samples;
  const times: number[] = [];
  for (let i = 0; i < samples; i++) times.push(await sample(runs));
  return { medianMs: median(times), bestMs: Math.min(...times), samples, runs };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
