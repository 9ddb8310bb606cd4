import { execFile } from "node:child_process";
import { describe, expect, test } from "vitest";
import { describeAdapter } from "../../src/cli/devices.ts";
import { GPT2 } from "../support/build.ts";

function gpt2(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1" };
  return new Promise((resolve) => {
    execFile(process.execPath, [GPT2, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

describe("gpt2", () => {
  test("--version is the package's", async () => {
    expect(await gpt2("--version")).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  test.each([["nonsense"], ["devices", "--nonsense"], ["devices", "nonsense"]])(
    "%s %s: one line and not 0",
    async (...args) => {
      const { code, stdout, stderr } = await gpt2(...args);
      expect(code).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toMatch(/^gpt2: .*\n$/);
    },
  );

  test("devices --json lists adapters and the cpu, and nothing else goes to stdout", async () => {
    const { code, stdout } = await gpt2("devices", "--json");
    expect(code).toBe(0);
    const { adapters, cpu, wasm } = JSON.parse(stdout);
    expect(cpu.threads).toBeGreaterThan(0);
    expect(wasm).toMatchObject({ verdict: "usable", why: expect.stringContaining("--device wasm") });
    expect(wasm.gflopsPerS).toBeGreaterThan(0);
    for (const { driver, verdict, why } of adapters) {
      expect(driver).not.toBe("");
      expect(["chosen", "usable", "refused"]).toContain(verdict);
      expect(why).not.toBe("");
    }
  });

  test("--threads is for WebAssembly", async () => {
    const without = await gpt2("gradcheck", "add", "--threads", "2", "--device", "cpu");
    expect(without).toMatchObject({
      code: 2,
      stderr: "gpt2: --threads is for WebAssembly; give --device wasm as well\n",
    });
    const { code, stdout } = await gpt2("gradcheck", "add", "--device", "wasm", "--threads", "3");
    expect(stdout).toMatch(/^WebAssembly, 3 threads: /);
    expect(code).toBe(0);
  });

  test("a device is described by the limits that kernels meet", () => {
    const text = describeAdapter({
      driver: "llvmpipe",
      kind: "software",
      description: "",
      limits: { maxStorageBufferBindingSize: 134217728, maxComputeWorkgroupStorageSize: 32768 },
      features: ["shader-f16", "depth-clip-control"],
      subgroupMatrices: [{ componentType: "f16", resultComponentType: "f32", M: 16, N: 8, K: 16 }],
      verdict: "chosen",
      why: "because",
    });
    expect(text).toContain("binding 128 MiB, workgroup memory 32 KiB");
    expect(text).toContain("features: shader-f16");
    expect(text).not.toContain("depth-clip-control");
    expect(text).toContain("subgroup matrices: f16 16x8x16 in f32");
  });
});
