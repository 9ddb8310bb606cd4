/** The device that a name stands for, in Node. */
import { availableParallelism } from "node:os";
import { userError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { untilAborted } from "../gpu/wait.ts";
import { checkThreads } from "../platform/node/threads.ts";
import { openGpu, openHardware } from "../platform/node.ts";

/** An open adapter, or the threads that WebAssembly is to compute on. */
export type Device = { readonly gpu: Gpu } | { readonly threads: number };

/** A hardware GPU goes first, then WebAssembly; software drivers are asked for by name. Nobody waits for a GPU once `signal` is aborted. */
export async function openDevice(device: string | undefined, signal: AbortSignal | undefined): Promise<Device> {
  const [name = "", count] = wantedDevice(device).split(":");
  const threads = count === undefined ? availableParallelism() : Number(count);
  if (!Number.isSafeInteger(threads) || threads < 1)
    userError(`${wantedDevice(device)}: wanted a whole number of threads, 1 or more, such as wasm:2`, "usage");
  checkThreads(threads, wantedDevice(device));
  if (name === WASM) return { threads };
  if (name !== AUTO) return { gpu: abortable(await openGpu({ adapter: device }), signal) };
  const gpu = await openHardware();
  if (!gpu) return { threads };
  if (count === undefined) return { gpu: abortable(gpu, signal) };
  gpu.close();
  return userError(FOR_WASM, "usage");
}

function abortable(gpu: Gpu, signal: AbortSignal | undefined): Gpu {
  return signal ? { ...gpu, wait: untilAborted(gpu.wait, signal) } : gpu;
}

export const AUTO = "auto";
export const WASM = "wasm";
export const FOR_WASM = "--threads is for WebAssembly; give --device wasm as well";

/** What `--device` or GPT2_ADAPTER names; with ":2" behind "wasm", and behind "auto" for --threads, on two threads. */
export function wantedDevice(device?: string): string {
  return device || process.env.GPT2_ADAPTER || AUTO;
}
