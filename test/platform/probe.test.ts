import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { isSoftware } from "../../src/gpu/device.ts";
import { openGpu } from "../../src/platform/node.ts";
import { testAdapters } from "../support/gpu.ts";

afterEach(() => vi.unstubAllEnvs());

test.runIf(testAdapters.includes("system"))(
  "what was found of a device is kept, and looked at again where it is damaged",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "gpt2-probe-"));
    vi.stubEnv("GPT2_CACHE", folder);
    const open = async () => {
      const gpu = await openGpu({ adapter: "system", features: [] });
      gpu.close();
      return gpu.probe;
    };
    try {
      const found = await open();
      expect(found).toMatchObject({ faults: [] });
      const files = readdirSync(folder).filter((name) => /^measured-.*\.json$/.test(name));
      expect(files).toHaveLength(1);
      const file = join(folder, files[0]!);
      const text = readFileSync(file, "utf8");
      const fault = { trait: "f16", line: "f16: not here" };
      const kept = { faults: [fault], passed: ["read"], milliseconds: 7 };
      writeFileSync(file, JSON.stringify({ ...JSON.parse(text), data: kept }));
      expect(await open()).toEqual(kept);
      for (const damaged of ["{", JSON.stringify({ ...JSON.parse(text), data: { faults: 3 } })]) {
        writeFileSync(file, damaged);
        expect(await open()).toMatchObject({ faults: [], passed: found!.passed });
        expect(JSON.parse(readFileSync(file, "utf8")).data).toMatchObject({ faults: [] });
      }
      // With other features it is another device.
      const more = await openGpu({ adapter: "system" });
      more.close();
      expect(readdirSync(folder).filter((name) => name.startsWith("measured-"))).toHaveLength(2);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

test("adapters that are a CPU are known by what they call themselves", () => {
  const known = (info: Partial<GPUAdapterInfo>): boolean =>
    isSoftware({ vendor: "", architecture: "", device: "", description: "", ...info } as GPUAdapterInfo);
  expect(known({ isFallbackAdapter: true })).toBe(true);
  // Chromium, Firefox and Deno, Node.
  for (const [vendor, architecture, device, description] of [
    ["google", "swiftshader", "", ""],
    ["mesa", "software", "", ""],
    ["mesa", "software", "llvmpipe-llvm-15-0-6-256-bits-", "llvmpipe: Mesa 25.0.7 (LLVM 15.0.6)"],
    ["microsoft", "warp", "", ""],
    ["", "", "Microsoft Basic Render Driver", ""],
    ["65541", "", "0", "llvmpipe (LLVM 15.0.6, 256 bits)"],
    ["google", "swiftshader", "swiftshader-device-(llvm-16.0.0)", "SwiftShader driver-5.0.0"],
  ] as const)
    expect(known({ vendor, architecture, device, description }), description || device || architecture).toBe(true);
  for (const [vendor, architecture, device, description] of [
    ["nvidia", "hopper", "", ""],
    ["intel", "gen-12lp", "Intel(R) Iris(R) Xe Graphics", "Intel(R) open-source Mesa driver: Mesa 25.0"],
    ["amd", "rdna-3", "", "radv"],
    ["microsoft", "", "Microsoft Direct3D12 (NVIDIA)", "Dozen"],
    ["apple", "metal-3", "", "Apple M4"],
    // Dawn on Linux: Mesa's driver for Apple's GPUs has no number of a maker.
    ["mesa", "software", "apple-m1-g13g-a0-", "Honeykrisp: Mesa 25.0.7"],
  ] as const)
    expect(known({ vendor, architecture, device, description }), description || device).toBe(false);
});
