import { describe, expect, test } from "vitest";
import { createTape } from "../../src/autograd/tape.ts";
import type { Gpu, Probe, SubgroupMatrixConfig } from "../../src/gpu/device.ts";
import { cast } from "../../src/kernels/cast.ts";
import { f32 } from "../../src/kernels/op.ts";
import { createGpuRuntime, traitsOf } from "../../src/runtime/gpu.ts";
import { probe, probeFrom } from "../../src/runtime/probe.ts";
import { withShaders } from "../support/device.ts";
import { halvesOn, openBareGpu, testAdapters } from "../support/gpu.ts";
import { withMatrices } from "../support/matrices.ts";
import { openNullGpu } from "../support/null-gpu.ts";

/** A device whose shaders do something else than they say, told of by `rewrite`: at least one must. */
async function lying(gpu: Gpu, rewrite: (code: string) => string, over = (liar: Gpu) => liar): Promise<Probe> {
  let rewritten = 0;
  const liar = withShaders(gpu, (code) => {
    const text = rewrite(code);
    if (text !== code) rewritten++;
    return text;
  });
  const found = await probe(over(liar));
  expect(rewritten).toBeGreaterThan(0);
  return found;
}

const traitsWith = (gpu: Gpu, found: Probe) => traitsOf({ ...gpu, probe: found });

describe.each(testAdapters)("on %s", (adapter) => {
  test("nothing is wrong with the driver, and what it was asked is told", async () => {
    const gpu = await openBareGpu(adapter);
    const found = await probe(gpu);
    expect(found.faults).toEqual([]);
    const { subgroupMinSize } = gpu.info;
    expect(found.passed).toEqual([
      `subgroups of ${subgroupMinSize}`,
      "quads",
      ...(halvesOn(adapter) ? ["infinity in f16"] : []),
    ]);
    expect(probeFrom(JSON.parse(JSON.stringify(found)))).toEqual(found);
    expect(traitsWith(gpu, found)).toEqual(traitsOf({ ...gpu, probe: undefined }));
  });

  test("neighbours that are no quad are none to attention", async () => {
    const gpu = await openBareGpu(adapter);
    const found = await lying(gpu, (code) => code.replace("quadSwapX(local)", "quadSwapY(local)"));
    expect(found.faults).toEqual([{ trait: "quads", line: expect.stringContaining("no quad") }]);
    expect(traitsWith(gpu, found)).toMatchObject({
      quads: false,
      subgroups: true,
      subgroupMinSize: gpu.info.subgroupMinSize,
    });
  });

  test("subgroups that hand on something else than their first invocations have are not relied on", async () => {
    const gpu = await openBareGpu(adapter);
    const found = await lying(gpu, (code) =>
      code.replace("subgroupBroadcast(local, 1u)", "subgroupBroadcast(local, 2u)"),
    );
    expect(found.faults).toEqual([
      { trait: "subgroupMinSize", size: 0, line: expect.stringContaining("do not hand on") },
    ]);
    expect(traitsWith(gpu, found).subgroupMinSize).toBe(0);
  });

  test("smaller subgroups than were told of are taken at their size", async () => {
    const gpu = await openBareGpu(adapter);
    const { subgroupMinSize } = gpu.info;
    const boasting = { ...gpu, info: { ...gpu.info, subgroupMinSize: 2 * subgroupMinSize } };
    const found = await probe(boasting);
    expect(found.faults).toEqual([
      {
        trait: "subgroupMinSize",
        size: subgroupMinSize,
        line: expect.stringContaining(`${subgroupMinSize} invocations`),
      },
    ]);
    expect(traitsWith(boasting, found).subgroupMinSize).toBe(subgroupMinSize);
  });

  test("subgroups whose shaders do not compile are left out, and nothing else is", async () => {
    const gpu = await openBareGpu(adapter);
    const found = await lying(gpu, (code) => code.replace("enable subgroups;", "enable nonsense;"));
    expect(found.faults.map(({ trait }) => trait)).toEqual(["subgroupMinSize", "quads"]);
    expect(found.passed).toEqual(halvesOn(adapter) ? ["infinity in f16"] : []);
  });
});

const matrix = (K: number): SubgroupMatrixConfig => {
  return { componentType: "f32", resultComponentType: "f32", M: 8, N: 8, K };
};

// Emulated ones, which take drivers long to compile: on one of them.
test.each(testAdapters.slice(-1))(
  "matrices that multiply wrongly are not used, and the next ones are looked at, on %s",
  async (adapter) => {
    const gpu = await openBareGpu(adapter);
    const withConfigs = (one: Gpu): Gpu => ({
      ...withMatrices(one, gpu.info.subgroupMinSize),
      features: new Set([...gpu.features, "chromium-experimental-subgroup-matrix"]),
      info: { ...gpu.info, subgroupMatrixConfigs: [matrix(4), matrix(8)] },
    });
    const wrong = (code: string): string =>
      code.includes("MATRIX_K: u32 = 8u") ? code.replace("total += f32(", "total += 2.0 * f32(") : code;
    const found = await lying(gpu, wrong, withConfigs);
    expect(found.faults).toEqual([
      { trait: "subgroupMatrix", matrix: "f32 8x8x8 f32", line: expect.stringContaining("wrong sums") },
    ]);
    expect(found.passed).toContain("matrices of f32 8x8x4 f32");
    expect(traitsWith(withConfigs(gpu), found).subgroupMatrices).toEqual([matrix(4)]);
  },
);

test.each(testAdapters.filter(halvesOn))("f16 that stops at its largest is not used, on %s", async (adapter) => {
  const gpu = await openBareGpu(adapter);
  const clamped = "Stored(clamp(wide, vec4f(-65504.0), vec4f(65504.0)))";
  const found = await lying(gpu, (code) =>
    code.replace(/return Stored\((bitcast<vec4f>\(.*\))\);/, `let wide = $1; return ${clamped};`),
  );
  expect(found.faults).toEqual([{ trait: "f16", line: expect.stringContaining("not stored as infinity") }]);
  expect(traitsWith(gpu, found).f16).toBe(false);
  const tape = createTape();
  tape.output("y", cast(tape.input("x", f32([4])), "f16"));
  const runtime = createGpuRuntime({ ...gpu, probe: found });
  await expect(runtime.compile(tape)).rejects.toThrow("f16");
  runtime.close();
});

test.runIf(testAdapters.includes("system"))(
  "arrays that are memory make kernels those of software drivers",
  async () => {
    const gpu: Gpu = { ...(await openBareGpu("system")), kind: "hardware" };
    expect((await probe(gpu)).faults).toEqual([]);
    // Where an element is only known while the loop runs, compilers keep the array in memory.
    const found = await lying(gpu, (code) => code.replaceAll("sums[i]", "sums[(i + local) % SUMS]"));
    expect(found.faults).toEqual([{ trait: "registers", line: expect.stringContaining("are memory") }]);
    expect(traitsWith(gpu, found).software).toBe(true);
  },
);

test("a device of which nothing can be asked, since it computes nothing, is known by that", async () => {
  const gpu = await openNullGpu();
  const { faults } = await probe(gpu);
  expect(new Set(faults.map(({ trait }) => trait))).toEqual(new Set(["subgroupMinSize", "quads", "f16"]));
  gpu.close();
});

test.each(testAdapters.slice(-1))("what is wrong is told once a runtime is made, on %s", async (adapter) => {
  const line = "f16: something is wrong with it";
  const found: Probe = { faults: [{ trait: "f16", line }], passed: [], milliseconds: 1 };
  const gpu = { ...(await openBareGpu(adapter)), probe: found };
  const lines: string[] = [];
  const runtime = createGpuRuntime(gpu, {}, { notice: (told) => void lines.push(told) });
  expect(lines).toEqual([`${gpu.driver}: ${line}`]);
  expect(runtime.traits.f16).toBe(false);
  runtime.close();
});

test("what was kept and is damaged counts as nothing", () => {
  for (const data of [
    undefined,
    null,
    3,
    {},
    { faults: [{}], passed: [], milliseconds: 1 },
    { faults: [], passed: [] },
  ])
    expect(probeFrom(data)).toBeUndefined();
});
