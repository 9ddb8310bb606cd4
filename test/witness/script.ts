/** What runs on a witness: op cases and a tiny training run, on whatever WebGPU is there. */
import { openGpu } from "../../src/platform/browser.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { type TinyRun, trainTiny } from "../browser/tiny.ts";
import { allCases, type CaseResult, chosenCases, runCases } from "./cases.ts";

/** What the page or process hands to the test. */
export interface Testimony {
  readonly driver: string;
  readonly kind: string;
  readonly faults: readonly string[];
  readonly run: TinyRun;
  /** By the names of cases. */
  readonly cases: Readonly<Record<string, CaseResult>>;
}

/** Of these cases: JSON, since that keeps every bit of a float32 held as a number. */
export async function testify(which: "all" | "chosen" | "none"): Promise<string> {
  const gpu = await openGpu({ features: ["shader-f16"] });
  const runtime = createGpuRuntime(gpu);
  try {
    const cases = which === "all" ? allCases() : which === "chosen" ? chosenCases() : [];
    const testimony: Testimony = {
      driver: gpu.driver,
      kind: gpu.kind,
      faults: gpu.probe?.faults.map(({ line }) => line) ?? [],
      run: await trainTiny(runtime),
      cases: await runCases(gpu, cases),
    };
    return JSON.stringify(testimony);
  } finally {
    runtime.close();
    gpu.close();
  }
}
