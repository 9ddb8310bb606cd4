import type { Tape } from "../autograd/tape.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Tuning } from "../kernels/tuning.ts";
import { openGpu } from "../platform/node.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import { createGpuRuntime } from "../runtime/gpu.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { keptTuning, measureTuning } from "./tune.ts";

export const DEVICE_HELP =
  "auto, hardware, system, embedded, part of an adapter's name, or cpu (the slow reference); see `gpt2 devices`";

export interface RuntimeOptions {
  /** What a run that is gone on with was computed with (`null`: the defaults). Left out: what was measured here before. */
  readonly tuning?: Tuning | null | undefined;
  /** Once it is aborted, whatever waits for the device rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Opens what `--device` names; `close` it when done, so that the process ends. */
export async function openRuntime(device: string | undefined, options: RuntimeOptions = {}): Promise<OpenRuntime> {
  const { signal } = options;
  signal?.throwIfAborted();
  const wanted = device ?? process.env.GPT2_ADAPTER;
  if (wanted === "cpu") return untuned(createCpuRuntime({ signal }));
  if (wanted === "cpu-float64") return untuned(createCpuRuntime({ precision: "float64", signal }));
  const gpu = await openAbortableGpu(device, signal);
  const tuning = options.tuning === undefined ? await keptTuning(gpu) : (options.tuning ?? undefined);
  return runtimeOn(gpu, tuning, signal);
}

/** Opens an adapter's device, which nobody waits for any more once `signal` is aborted. */
export async function openAbortableGpu(adapter: string | undefined, signal: AbortSignal | undefined): Promise<Gpu> {
  const gpu = await openGpu({ adapter });
  return signal ? { ...gpu, wait: untilAborted(gpu.wait, signal) } : gpu;
}

/**
 * A wait whose promises reject as soon as `signal` is aborted; then nobody hears what becomes of the work. One listener serves
 * all: a plan waits for dozens of pipelines at once, and Node warns of a signal with eleven.
 */
export function untilAborted(wait: Gpu["wait"], signal: AbortSignal): Gpu["wait"] {
  const waiting = new Set<(reason: unknown) => void>();
  signal.addEventListener("abort", () => {
    for (const reject of waiting) reject(signal.reason);
  });
  return async (start) => {
    signal.throwIfAborted();
    const work = wait(start);
    let give: (reason: unknown) => void = () => {};
    const aborted = new Promise<never>((_, reject) => {
      give = reject;
    });
    waiting.add(give);
    try {
      return await Promise.race([work, aborted]);
    } finally {
      waiting.delete(give);
      work.catch(() => {});
    }
  };
}

/** A runtime that the command line has opened. */
export interface OpenRuntime extends Runtime {
  /** What its kernels are chosen by, as JSON: a run records it, since the same bits need the same choices. */
  readonly tuning: Tuning | null;
  /** Measures what `tapes` compute and gives a runtime that uses it, in place of this one, which must have no states yet. */
  tuned(tapes: Iterable<Tape>): Promise<OpenRuntime>;
}

/** A runtime on a device that is closed with it. */
export function runtimeOn(gpu: Gpu, tuning?: Tuning, signal?: AbortSignal): OpenRuntime {
  const runtime = createGpuRuntime(gpu, { tuning });
  return {
    ...runtime,
    tuning: tuning ?? null,
    async tuned(tapes) {
      runtime.close();
      return runtimeOn(gpu, await measureTuning(gpu, tapes, signal), signal);
    },
    close() {
      runtime.close();
      gpu.close();
    },
  };
}

/** The reference has nothing to choose. */
function untuned(runtime: Runtime): OpenRuntime {
  const open: OpenRuntime = { ...runtime, tuning: null, tuned: async () => open };
  return open;
}

/** Opens a runtime for the length of `use`. */
export async function withRuntime<T>(
  device: string | undefined,
  use: (runtime: OpenRuntime) => Promise<T>,
  options: RuntimeOptions = {},
): Promise<T> {
  const runtime = await openRuntime(device, options);
  try {
    return await use(runtime);
  } finally {
    runtime.close();
  }
}
