import { getEventListeners } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { openRuntime } from "../../src/cli/runtime.ts";
import { untilAborted } from "../../src/gpu/wait.ts";
import { openGpu } from "../../src/platform/node.ts";
import { hearTerminal } from "../support/terminal.ts";

afterEach(() => void vi.unstubAllEnvs());

test("--tune says that it does nothing where kernels have no variants", async () => {
  const lines: string[] = [];
  const restore = hearTerminal((line) => lines.push(line));
  const runtime = await openRuntime("cpu");
  expect(await runtime.tuned([])).toBe(runtime);
  restore();
  expect(lines).toEqual(["--tune does nothing on CPU float32: the kernels of GPUs alone have variants"]);
  runtime.close();
});

describe("$GPT2_ADAPTER", () => {
  test.each([
    ["cpu", undefined, "CPU float32"],
    ["cpu-float64", undefined, "CPU float64"],
    ["embedded", "cpu", "CPU float32"],
    ["wasm:2", undefined, "WebAssembly, 2 threads"],
    ["cpu", "wasm:1", "WebAssembly, 1 thread"],
  ])("%s with --device %s is %s", async (variable, device, name) => {
    vi.stubEnv("GPT2_ADAPTER", variable);
    const runtime = await openRuntime(device);
    expect(runtime.name).toBe(name);
    runtime.close();
  });

  test.each([
    ["cpu", "cpu is no adapter but the reference executor (createCpuRuntime)"],
    ["wasm", "wasm is no adapter but WebAssembly (createWasmRuntime)"],
    ["wasm:2", "wasm:2 is no adapter but WebAssembly (createWasmRuntime)"],
  ])("names no adapter of the library where it is %s", async (variable, message) => {
    vi.stubEnv("GPT2_ADAPTER", variable);
    await expect(openGpu()).rejects.toThrow(message);
  });
});

test("any number of waits listen to a signal once, and all end when it is aborted", async () => {
  const stop = new AbortController();
  const wait = untilAborted((start) => start(), stop.signal);
  const waits = Array.from({ length: 30 }, () => wait(() => new Promise(() => {})));
  expect(await wait(async () => 1)).toBe(1);
  expect(getEventListeners(stop.signal, "abort")).toHaveLength(1);
  stop.abort(new Error("enough"));
  for (const waiting of waits) await expect(waiting).rejects.toThrow("enough");
  await expect(wait(async () => 1)).rejects.toThrow("enough");
});
