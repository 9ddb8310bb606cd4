import { availableParallelism } from "node:os";
import { describe, expect, test } from "vitest";
import type { Probe } from "../../src/gpu/device.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { bundle, hasChromium, runInChromium } from "../support/chromium.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";
import { wasmRuntime } from "../support/wasm.ts";
import { hasFirefox, runInFirefox } from "../tools/firefox.ts";
import { hasWebKit, runInWebKit } from "../tools/webkit.ts";
import { STEPS, type TinyRun, trainTiny } from "./tiny.ts";

test.runIf(hasChromium)("a browser trains with the same code, to the same weights as Node", async () => {
  const { run, kind, probe, kept } = JSON.parse(await runInChromium(await bundle("browser/page.ts"))) as {
    run: TinyRun;
    kind: string;
    probe: Probe;
    kept: boolean;
  };
  expect(kind).toBe("software");
  expect(probe).toMatchObject({ faults: [], passed: expect.arrayContaining(["quads"]) });
  expect(kept).toBe(true);
  expect(run.losses).toHaveLength(STEPS);
  expect(run.losses[STEPS - 1], "five steps learn something").toBeLessThan(0.7 * run.losses[0]!);

  const reference = await trainTiny(createCpuRuntime({ precision: "float64" }));
  run.losses.forEach((loss, step) => {
    expect(Math.abs(loss / reference.losses[step]! - 1), `step ${step}`).toBeLessThan(1e-5);
  });
  if (!testAdapters.includes("embedded")) return;
  // Two builds of SwiftShader, from Chromium 147 and from this browser, and yet every bit is the same: the kernels leave
  // the driver no freedom that these two use differently. Should a browser's update break this, the bound above remains.
  const runtime = createGpuRuntime(await openTestGpu("embedded"));
  const node = await trainTiny(runtime);
  runtime.close();
  expect(run.losses).toEqual(node.losses);
  expect(run.parameters).toEqual(node.parameters);
});

describe.each([
  { browser: "Chromium", present: hasChromium, run: runInChromium },
  { browser: "Firefox", present: hasFirefox, run: runInFirefox },
  { browser: "WebKit", present: hasWebKit, run: runInWebKit },
])("$browser", ({ present, run: runIn }) => {
  test.runIf(present).each([false, true])(
    "trains in WebAssembly to the bits of Node, cross-origin isolated: %s",
    async (isolated) => {
      const runtime = await wasmRuntime();
      const node = await trainTiny(runtime);
      runtime.close();
      const script = await bundle("browser/wasm-page.ts");
      const { run, threads } = JSON.parse(await runIn(script, isolated)) as { run: TinyRun; threads: number };
      expect(threads > 1).toBe(isolated && availableParallelism() > 1);
      expect(run).toEqual(node);
    },
  );
});

test("the library's entry, whole, bundles for a browser", async () => {
  expect((await bundle("../src/index.ts")).length).toBeGreaterThan(100_000);
  expect((await bundle("../src/platform/browser.ts")).length).toBeGreaterThan(1000);
});
