import { afterEach, describe, expect, test, vi } from "vitest";
import { openRuntime } from "../../src/cli/runtime.ts";
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
