import { describe, expect, test } from "vitest";
import { layerNormBackwardOp, layerNormOp, layerNormParametersOp } from "../../src/kernels/layer-norm.ts";
import { layerNormAllBackwardOp, layerNormTogetherOp } from "../../src/kernels/layer-norm-all.ts";
import { f16, f32, type OpCase } from "../../src/kernels/op.ts";
import { compareTensors, runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { checkOp } from "../support/check.ts";
import { openTestRuntime, testDrivers } from "../support/drivers.ts";

const model = { x: f32([100, 768]), gain: f32([768]), bias: f32([768]) };
const odd = { x: f32([130, 67]), gain: f32([67]) };
const variants = (inputs: object) =>
  ["alone", "group"].map((variant) => ({ inputs: { ...inputs }, attrs: { variant } }));

checkOp(layerNormOp, { gpuCases: [...variants(model), ...variants(odd)] });
checkOp(layerNormBackwardOp);
checkOp(layerNormParametersOp);

describe("the parameters' gradients in one pass, as on a GPU", () => {
  const rows = (R: number, C: number) => {
    return { inputs: { x: f32([R, C]), mean: f32([R]), rstd: f32([R]), dy: f32([R, C]) } };
  };
  checkOp(layerNormParametersOp, { gpuCases: [rows(300, 67), rows(5000, 12)], traits: { software: false } });
});

describe("all gradients at once, as on a GPU", () => {
  const rows = (R: number, C: number, residual = true, dy = f32([R, C])): OpCase => {
    const inputs = { x: f32([R, C]), gain: f32([C]), mean: f32([R]), rstd: f32([R]), dy };
    return { inputs: residual ? { ...inputs, residual: f32([R, C]) } : inputs };
  };
  // More columns than invocations, and fewer; rows that are no multiple of a block, and none.
  const gpuCases = [
    rows(35, 1100),
    rows(33, 301),
    rows(300, 67, false),
    rows(16, 768, true, f16([16, 768])),
    rows(1, 1),
    rows(0, 8),
  ];
  checkOp(layerNormAllBackwardOp, { gpuCases });
  describe("where registers are few", () => {
    checkOp(
      { ...layerNormAllBackwardOp, cases: [] },
      { gpuCases: gpuCases.slice(0, 2), traits: { fewRegisters: true } },
    );
  });
  // Rows in spans, grids that are folded; and parts of several blocks, since more parts would not fit a binding.
  describe("with low limits", () => {
    checkOp(
      { ...layerNormAllBackwardOp, cases: [] },
      {
        gpuCases: [rows(200, 300, true), rows(1000, 8, false), rows(2500, 12)],
        traits: { maxBindingBytes: 65536, maxGroupsPerDimension: 12 },
      },
    );
    checkOp(
      { ...layerNormAllBackwardOp, cases: [] },
      {
        gpuCases: [rows(1000, 8), rows(400, 20, false, f16([400, 20]))],
        traits: { maxBindingBytes: 4096 },
      },
    );
  });

  const model = { x: f32([40, 96]), gain: f32([96]), bias: f32([96]) };
  checkOp({ ...layerNormTogetherOp, cases: layerNormOp.cases.slice(0, 3) }, { gpuCases: [{ inputs: model }] });
});

// A binding of 64 KiB, and twelve workgroups a dimension: rows go in spans, grids are folded.
describe("with low limits", () => {
  checkOp(layerNormOp, {
    gpuCases: [...variants(model), ...variants(odd)],
    traits: { maxBindingBytes: 65536, maxGroupsPerDimension: 12 },
  });
});

describe.each(testDrivers)("%s", (adapter) => {
  test.each(["alone", "group"])("keeps the noise on top of a mean of 10,000: %s", async (variant) => {
    const runtime = await openTestRuntime(adapter);
    const values = Array.from({ length: 4 * 768 }, (_, i) => Math.fround(1e4 + Math.sin(i * i)));
    const flat = { ...f32([768]), values: Array(768).fill(1) };
    const check = { inputs: { x: { ...f32([4, 768]), values }, gain: flat }, attrs: { variant } };
    const { y } = await runOp(runtime, layerNormOp, check);
    runtime.close();
    const wanted = await runOp(createCpuRuntime({ precision: "float64" }), layerNormOp, check);
    expect(compareTensors({ y: y! }, { y: wanted.y! }).error).toBeLessThan(1e-6);
  });

  test("equal inputs give the bias, not NaN", async () => {
    const runtime = await openTestRuntime(adapter);
    const x = { ...f32([1, 8]), values: Array(8).fill(3) };
    const { y } = await runOp(runtime, layerNormOp, { inputs: { x, gain: f32([8]), bias: { ...x, shape: [8] } } });
    runtime.close();
    expect([...y!]).toEqual(Array(8).fill(3));
  });
});
