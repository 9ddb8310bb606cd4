/**
 * Two more implementations of WebGPU, wgpu in Deno and in Firefox, whose compiler is Naga, beside Dawn, whose compiler is Tint, all on
 * lavapipe: the bits have to be the same. scripts/witness.ts does so with every case.
 */
import { beforeAll, describe, expect, test } from "vitest";
import type { Gpu } from "../../src/gpu/device.ts";
import { SHADERS } from "../../src/kernels/shaders.gen.ts";
import { openGpu } from "../../src/platform/node.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { type TinyRun, trainTiny } from "../browser/tiny.ts";
import { bundle } from "../support/chromium.ts";
import { testAdapters } from "../support/gpu.ts";
import { LAVAPIPE } from "../support/lavapipe.ts";
import { hasDeno, runInDeno } from "../tools/deno.ts";
import { hasFirefox, runInFirefoxWithWebGpu } from "../tools/firefox.ts";
import { chosenCases, isOpen, partsOf, runCases } from "./cases.ts";
import type { Testimony } from "./script.ts";

test("the chosen cases have every shader that wants no subgroups", () => {
  const covered = new Set(chosenCases().flatMap(partsOf));
  const left = Object.keys(SHADERS).filter((name) => !covered.has(name));
  // scripts/witness.ts has the other ways of reading large tiles. All products of software drivers are by subgroups, and what is on matrix units; tiles of attention want more memory than is granted everywhere.
  const units =
    /^matmul\/gpu\/([ab]_(columns|scalar)|panels|direct|held|keep|units|ahead|narrow)|^attention\/gpu\/matrix_/;
  const wanting = new RegExp(
    `^(bench|probe)/|^matmul/software/|lane_(quad|octet|sixteen)$|^attention/gpu/tile|${units.source}`,
  );
  expect(left.filter((name) => !wanting.test(name))).toEqual([]);
});

describe.runIf(LAVAPIPE && testAdapters.includes("system"))("on lavapipe", () => {
  let gpu: Gpu;
  let dawn: TinyRun;
  beforeAll(async () => {
    gpu = await openGpu({ adapter: "llvmpipe", features: ["shader-f16"] });
    const runtime = createGpuRuntime(gpu);
    dawn = await trainTiny(runtime);
    runtime.close();
    return () => gpu.close();
  }, 120_000);

  test.runIf(hasDeno)(
    "wgpu in Deno gives the bits of Dawn without subgroups, in every kernel and in training",
    async () => {
      const chosen = chosenCases();
      const here = runCases(gpu, chosen);
      const told = JSON.parse(
        await runInDeno(await bundle("witness/deno.ts"), { ...LAVAPIPE!, GALLIVM_PERF: "nopt" }),
      ) as Testimony;
      expect(told.driver).toMatch(/^llvmpipe/);
      expect(told).toMatchObject({ kind: "software", faults: [] });
      const dawns = await here;
      for (const one of chosen) {
        const { bits, error, failed } = told.cases[one.name]!;
        expect(failed, one.name).toBeUndefined();
        expect(Math.max(error, dawns[one.name]!.error), one.name).toBeLessThan(1e-5);
        if (!isOpen(one)) expect(bits, one.name).toBe(dawns[one.name]!.bits);
      }
      expect(told.run).toEqual(dawn);
    },
    240_000,
  );

  test.runIf(hasFirefox)("Firefox trains to the bits of Dawn without subgroups", async () => {
    const told = JSON.parse(await runInFirefoxWithWebGpu(await bundle("witness/page.ts"), LAVAPIPE!)) as Testimony;
    expect(told).toMatchObject({ kind: "software", faults: [] });
    expect(told.run).toEqual(dawn);
  });
});
