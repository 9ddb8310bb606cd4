/** The device that a name stands for, in Node. */
import { availableParallelism } from "node:os";
import { userError } from "../core/errors.ts";
import { checkThreads } from "../core/threads.ts";
import type { Gpu } from "../gpu/device.ts";
import { untilAborted } from "../gpu/wait.ts";
import { openGpu, openHardware } from "../platform/node.ts";

/** An open adapter, or the threads that WebAssembly is to compute on. */
export type Device = { readonly gpu: Gpu } | { readonly threads: number };

/** A hardware GPU goes first, then WebAssembly; software drivers are asked for by name. Nobody waits for a GPU once `signal` is aborted. */
export async function openDevice(device: string | undefined, signal: AbortSignal | undefined): Promise<Device> {
  const { name, threads = availableParallelism(), counted } = partsOf(wantedDevice(device));
  if (name === WASM) return { threads };
  if (name !== AUTO) return { gpu: abortable(await openGpu({ adapter: device }), signal) };
  const gpu = await openHardware();
  if (!gpu) return { threads };
  if (!counted) return { gpu: abortable(gpu, signal) };
  gpu.close();
  return userError(FOR_WASM, "usage");
}

/** Throws a `UserError` where nothing on this machine is called so. */
export async function checkDevice(device: string | undefined): Promise<void> {
  const { name } = partsOf(wantedDevice(device));
  if (!NAMES.includes(name)) (await openGpu({ adapter: name, probe: false })).close();
}

/** "wasm" and 2 of "wasm:2". */
function partsOf(wanted: string): { readonly name: string; readonly threads?: number; readonly counted: boolean } {
  const [name = "", count] = wanted.split(":");
  if (count === undefined || (name !== WASM && name !== AUTO)) return { name: wanted, counted: false };
  const threads = Number(count);
  if (!Number.isSafeInteger(threads) || threads < 1)
    userError(`${wanted}: wanted a whole number of threads, 1 or more, such as wasm:2`, "usage");
  checkThreads(threads, availableParallelism(), wanted);
  return { name, threads, counted: true };
}

function abortable(gpu: Gpu, signal: AbortSignal | undefined): Gpu {
  return signal ? { ...gpu, wait: untilAborted(gpu.wait, signal) } : gpu;
}

export const AUTO = "auto";
export const WASM = "wasm";
/** All else is a part of an adapter's name, which takes a look at the adapters. */
const NAMES: readonly string[] = [AUTO, WASM, "hardware", "system", "embedded", "cpu", "cpu-float64"];
export const FOR_WASM = "--threads is for WebAssembly; give --device wasm as well";

/** What `--device` or GPT2_ADAPTER names; with ":2" behind "wasm", and behind "auto" for --threads, on two threads. */
export function wantedDevice(device?: string): string {
  return device || process.env.GPT2_ADAPTER || AUTO;
}
