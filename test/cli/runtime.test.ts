import { getEventListeners } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { openRuntime, untilAborted } from "../../src/cli/runtime.ts";
import { openGpu } from "../../src/platform/node.ts";

afterEach(() => void vi.unstubAllEnvs());

describe("$GPT2_ADAPTER", () => {
  test.each([
    ["cpu", undefined, "CPU float32"],
    ["cpu-float64", undefined, "CPU float64"],
    ["embedded", "cpu", "CPU float32"],
  ])("%s with --device %s is %s", async (variable, device, name) => {
    vi.stubEnv("GPT2_ADAPTER", variable);
    const runtime = await openRuntime(device);
    expect(runtime.name).toBe(name);
    runtime.close();
  });

  test("names no adapter of the library where it names the reference", async () => {
    vi.stubEnv("GPT2_ADAPTER", "cpu");
    await expect(openGpu()).rejects.toThrow("cpu is no adapter but the reference executor (createCpuRuntime)");
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
