import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { FUSED_OPS } from "../../src/kernels/fused.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { builtInFixture } from "../../src/verify/built-in.ts";
import { readFixture } from "../../src/verify/directory.ts";
import { type Check, type Fixture, passed } from "../../src/verify/fixture.ts";
import { verify } from "../../src/verify/verify.ts";
import { openTestRuntime, testDrivers } from "../support/drivers.ts";
import { halvesOn, openTestGpu, testAdapters } from "../support/gpu.ts";

const directory = fileURLToPath(new URL("../../../shared/parity/tiny/", import.meta.url));
const fixtures: [string, () => Promise<Fixture> | Fixture][] = [["the built-in model", builtInFixture]];
if (existsSync(directory)) fixtures.push(["PyTorch's results", openTiny]);
else console.warn(`no parity data at ${directory}: the comparison with PyTorch is left out`);

function openTiny(): Fixture {
  const files = new Map(readdirSync(directory).map((name) => [name, new Uint8Array(readFileSync(directory + name))]));
  return readFixture("tiny", files);
}

function failures(checks: readonly Check[]): string[] {
  return checks.filter((check) => !passed(check)).map(({ name, error, bound }) => `${name}: ${error} > ${bound}`);
}

test("a directory that is no fixture is told by what it lacks", () => {
  expect(() => readFixture("run", new Map())).toThrow(
    "run: there is no config.json; a fixture has config.json and model.safetensors, as a run's model, and inputs",
  );
});

describe.each(fixtures)("%s", (_, open) => {
  test("CPU float64 and float32 hold every bound", async () => {
    const fixture = await open();
    for (const precision of ["float64", "float32"] as const) {
      const checks = await verify(createCpuRuntime({ precision }), fixture);
      expect(checks.length).toBeGreaterThan(60);
      expect(failures(checks)).toEqual([]);
    }
  });

  test.each(testDrivers)("%s holds every bound", async (adapter) => {
    const runtime = await openTestRuntime(adapter);
    expect(failures(await verify(runtime, await open()))).toEqual([]);
    runtime.close();
  });

  test.each(["CPU", ...testAdapters] as const)(
    "so does a step of fused ops, as hardware GPUs have it, on %s",
    async (adapter) => {
      const fixture = await open();
      const runtime = adapter === "CPU" ? createCpuRuntime() : createGpuRuntime(await openTestGpu(adapter));
      const fusing = { ...runtime, fused: FUSED_OPS };
      expect(failures(await verify(fusing, fixture))).toEqual([]);
      if (adapter === "CPU" || halvesOn(adapter)) expect(failures(await verify(fusing, fixture, "f16"))).toEqual([]);
      runtime.close();
    },
  );

  test("mixed precision holds its bounds on the CPU, and would not hold those of f32", async () => {
    const checks = await verify(createCpuRuntime(), await open(), "f16");
    expect(failures(checks)).toEqual([]);
    expect(checks.filter(({ error }) => error > 1e-4).length).toBeGreaterThan(20);
  });

  test.each(testAdapters.filter(halvesOn))("mixed precision holds its bounds on %s", async (adapter) => {
    const runtime = createGpuRuntime(await openTestGpu(adapter));
    expect(failures(await verify(runtime, await open(), "f16"))).toEqual([]);
    runtime.close();
  });
});

test("a wrong weight is noticed", async () => {
  const fixture = await builtInFixture();
  const parameters = new Map(fixture.parameters);
  const weight = Float32Array.from(parameters.get("h.1.mlp.c_fc.weight")!);
  weight[100]! += 0.01;
  parameters.set("h.1.mlp.c_fc.weight", weight);
  const failed = failures(await verify(createCpuRuntime(), { ...fixture, parameters }));
  expect(failed.length).toBeGreaterThan(10);
});
