import { availableParallelism } from "node:os";
import { type Command, Option } from "commander";
import type { Tape } from "../autograd/tape.ts";
import { userError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Tuning } from "../kernels/tuning.ts";
import { nodeThreads, openGpu } from "../platform/node.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import { createGpuRuntime } from "../runtime/gpu.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createWasmRuntime, openWasm } from "../runtime/wasm.ts";
import { wholeNumber } from "./numbers.ts";
import { terminal } from "./terminal.ts";
import { keptTuning, measureTuning } from "./tune.ts";

export const DEVICE_HELP =
  "auto, hardware, system, embedded, part of an adapter's name, wasm (the CPU, no driver), or cpu (the slow reference); see `gpt2 devices`";

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
  const wanted = device || process.env.GPT2_ADAPTER;
  if (wanted === "cpu") return untuned(createCpuRuntime({ signal }));
  if (wanted === "cpu-float64") return untuned(createCpuRuntime({ precision: "float64", signal }));
  const threads = threadsOf(device);
  if (threads !== undefined) return wasmRuntime(threads, signal);
  const gpu = await openAbortableGpu(device, signal);
  if (gpu.kind === "embedded" && (wanted || "auto") === "auto")
    terminal.say(
      "there is no GPU here, nor a driver of the system: --device wasm is several times as fast as the embedded one",
    );
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

const WASM = "wasm";

/** How many threads a device's name, or GPT2_ADAPTER, wants of WebAssembly: "wasm" all cores, "wasm:2" two; undefined: another device. */
export function threadsOf(device: string | undefined): number | undefined {
  const [name, count] = (device || process.env.GPT2_ADAPTER)?.split(":") ?? [];
  if (name !== WASM) return undefined;
  return count === undefined ? availableParallelism() : wholeNumber(1)(count);
}

/** Gives a command that takes `--device` the option `--threads`, which is a part of the device. */
export function addThreads(command: Command): void {
  const help =
    "how many compute with --device wasm, by default one for each core; the results are the same for any number";
  command.addOption(new Option("--threads <n>", help).argParser(wholeNumber(1)));
  command.hook("preAction", (_command, called) => {
    const { threads, device } = called.opts<{ threads?: number; device?: string }>();
    if (threads === undefined) return;
    if (threadsOf(device) === undefined) userError("--threads is for WebAssembly; give --device wasm as well", "usage");
    called.setOptionValue("device", `${WASM}:${threads}`);
  });
}

/** WebAssembly, whose threads end with it. */
async function wasmRuntime(threads: number, signal?: AbortSignal): Promise<OpenRuntime> {
  const wasm = await openWasm(nodeThreads(threads));
  const runtime = createWasmRuntime(wasm, { signal });
  return untuned({
    ...runtime,
    close() {
      runtime.close();
      wasm.close();
    },
  });
}

/** Where there is nothing to choose: the reference, and WebAssembly. */
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
