import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { describeAdapter } from "../../src/cli/devices.ts";
import { GPT2 } from "../support/build.ts";

function gpt2(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return gpt2With({}, ...args);
}

function gpt2With(more: Record<string, string>, ...args: string[]): ReturnType<typeof gpt2> {
  const env = { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", GPT2_ADAPTER: "", ...more };
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
    expect(wasm.gflopsPerS).toBeGreaterThan(0);
    for (const { driver, verdict, why, gflopsPerS } of adapters) {
      expect(driver).not.toBe("");
      expect(["chosen", "usable", "refused"]).toContain(verdict);
      expect(why).not.toBe("");
      if (verdict !== "refused") expect(gflopsPerS).toBeGreaterThan(0);
    }
    // A hardware GPU goes first, then WebAssembly; software drivers wait to be asked.
    const chosen = adapters.filter(({ verdict }: { verdict: string }) => verdict === "chosen");
    const hardware = adapters.find(({ kind }: { kind: string }) => kind === "hardware");
    expect(chosen).toEqual(hardware ? [hardware] : []);
    expect(wasm).toMatchObject({ verdict: hardware ? "usable" : "chosen" });
  });

  test.each([
    ["cpu", /^cpu .*\n {2}chosen: asked for$/m],
    ["wasm:1", /^WebAssembly, 1 thread .*\n {2}chosen: asked for: wasm:1\n {2}product of matrices: [\d.]+ GFLOP\/s/m],
  ])("devices says that %s was asked for, and that nothing else is used", async (GPT2_ADAPTER, says) => {
    const { stdout } = await gpt2With({ GPT2_ADAPTER }, "devices");
    expect(stdout).toMatch(says);
    expect(stdout.match(/chosen/g)).toHaveLength(1);
  });

  test("a machine without a GPU computes on WebAssembly without being asked, and unpacks no driver", async () => {
    const cache = await mkdtemp(join(tmpdir(), "gpt2-auto-"));
    try {
      const env = { GPT2_CACHE: cache, VK_ICD_FILENAMES: "/nonexistent.json" };
      const { code, stdout, stderr } = await gpt2With(env, "gradcheck", "add", "--threads", "2");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/^WebAssembly, 2 threads: /);
      expect(await readdir(cache)).toEqual([]);
      const halves = await gpt2With(env, "verify", "--precision", "f16");
      expect(halves).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(
          /^gpt2: --precision f16: WebAssembly, \d+ threads? has no f16 .*--device system.*\n$/,
        ),
      });
    } finally {
      await rm(cache, { recursive: true });
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
    const report = {
      adapter: "llvmpipe",
      driver: "llvmpipe",
      kind: "software",
      description: "",
      limits: { maxStorageBufferBindingSize: 134217728, maxComputeWorkgroupStorageSize: 32768 },
      features: ["shader-f16", "depth-clip-control"],
      subgroupMatrices: [{ componentType: "f16", resultComponentType: "f32", M: 16, N: 8, K: 16 }],
      verdict: "chosen",
      why: "because",
      gflopsPerS: 61.4,
    } as const;
    const text = describeAdapter(report);
    expect(text).toContain("product of matrices: 61 GFLOP/s");
    for (const [gflopsPerS, rate] of [
      [412, "410 GFLOP/s"],
      [17_900, "18 TFLOP/s"],
      [3.14, "3.1 GFLOP/s"],
    ] as const) {
      expect(describeAdapter({ ...report, gflopsPerS })).toContain(`product of matrices: ${rate}`);
    }
    expect(text).toContain("binding 128 MiB, workgroup memory 32 KiB");
    expect(text).toContain("features: shader-f16");
    expect(text).not.toContain("depth-clip-control");
    expect(text).toContain("subgroup matrices: f16 16x8x16 in f32");
  });
});
