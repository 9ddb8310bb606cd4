import { availableParallelism } from "node:os";
import { type Command, Option } from "commander";
import type { Format } from "../core/dtype.ts";
import { userError } from "../core/errors.ts";
import { checkThreads } from "../core/threads.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Tuning } from "../kernels/tuning.ts";
import { AUTO, FOR_WASM, openDevice, WASM, wantedDevice } from "../node/device.ts";
import { wantedLimits } from "../platform/node/limits.ts";
import { nodeThreads } from "../platform/node.ts";
import type { OpenRuntime } from "../run/session.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import { createGpuRuntime, type GpuRuntimeOptions } from "../runtime/gpu.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createWasmRuntime, openWasm } from "../runtime/wasm.ts";
import { wholeNumber } from "./numbers.ts";
import { terminal } from "./terminal.ts";
import { keptTuning, measureTuning } from "./tune.ts";

export const DEVICE_HELP =
  "auto (a hardware GPU, else wasm), hardware, system, embedded, part of an adapter's name, wasm (the CPU, no driver), or cpu (the slow reference); see `gpt2 devices`";

export function precisionOption(help: string, choices: readonly Format[] = ["f32", "f16"]): Option {
  return new Option("--precision <type>", help).choices(choices);
}

export interface RuntimeOptions extends GpuRuntimeOptions {
  /** What a run that is gone on with was computed with (`null`: the defaults). Left out: what was measured here before. */
  readonly tuning?: Tuning | null | undefined;
  /** Once it is aborted, whatever waits for the device rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Opens what `--device` names; `close` it when done, so that the process ends. */
export async function openRuntime(device: string | undefined, options: RuntimeOptions = {}): Promise<OpenRuntime> {
  const { signal } = options;
  signal?.throwIfAborted();
  const wanted = wantedDevice(device);
  if (wanted === "cpu") return untuned(createCpuRuntime({ signal }));
  if (wanted === "cpu-float64") return untuned(createCpuRuntime({ precision: "float64", signal }));
  const opened = await openDevice(device, signal);
  if ("threads" in opened) return wasmRuntime(opened.threads, signal);
  const tuning = options.tuning === undefined ? await keptTuning(opened.gpu) : (options.tuning ?? undefined);
  const { notice = terminal.warn, losses } = options;
  const told = new Set<string>();
  // A runtime that is tuned has a second one on its device.
  const once = (line: string): void => {
    if (!told.has(line)) notice(line);
    told.add(line);
  };
  return runtimeOn(opened.gpu, { tuning, signal, notice: once, losses });
}

/** A runtime on a device that is closed with it. */
export function runtimeOn(
  gpu: Gpu,
  options: RuntimeOptions & { readonly tuning?: Tuning | undefined } = {},
): OpenRuntime {
  const { tuning, signal } = options;
  const runtime = createGpuRuntime(gpu, { tuning }, options);
  return {
    ...runtime,
    tuning: tuning ?? null,
    async tuned(tapes) {
      runtime.close();
      return runtimeOn(gpu, { ...options, tuning: await measureTuning(gpu, tapes, signal) });
    },
    close() {
      runtime.close();
      gpu.close();
    },
  };
}

/** Gives a command that takes `--device` the option `--threads`, which is a part of the device. */
export function addThreads(command: Command): void {
  const help =
    "how many compute in WebAssembly, by default one for each core, at most 32 or four for each; the results are the same for any number";
  command.addOption(new Option("--threads <n>", help).argParser(wholeNumber(1)));
  command.hook("preAction", (_command, called) => {
    // Also where no adapter is opened that has limits.
    wantedLimits();
    const { threads, device } = called.opts<{ threads?: number; device?: string }>();
    if (threads === undefined) return;
    const [name = ""] = wantedDevice(device).split(":");
    if (name !== WASM && name !== AUTO) userError(FOR_WASM, "usage");
    const [, said] = device?.split(":") ?? [];
    if (said !== undefined && Number(said) !== threads)
      userError(`--threads ${threads} and --device ${device} say the same in two ways; leave out one`, "usage");
    checkThreads(threads, availableParallelism(), "--threads");
    called.setOptionValue("device", `${name}:${threads}`);
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
  const open: OpenRuntime = {
    ...runtime,
    tuning: null,
    async tuned() {
      terminal.warn(`--tune does nothing on ${runtime.name}: the kernels of GPUs alone have variants`);
      return open;
    },
  };
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
