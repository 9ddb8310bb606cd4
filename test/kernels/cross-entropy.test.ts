import { describe, expect, test } from "vitest";
import { crossEntropyBackwardOp, crossEntropyOp } from "../../src/kernels/cross-entropy.ts";
import { f32 } from "../../src/kernels/op.ts";
import { runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { checkOp } from "../support/check.ts";

// 320 logits: more than a workgroup has invocations; in spans of 3 rows
const smooth = {
  inputs: { logits: { ...f32([7, 320]), scale: 3 }, labels: { dtype: "i32", shape: [7], low: 0, high: 320 } },
  attrs: { smoothing: 0.1 },
} as const;

checkOp(crossEntropyBackwardOp);
checkOp(crossEntropyOp, { gpuCases: [smooth] });

describe("in spans, a workgroup a row", () => {
  checkOp(crossEntropyOp, {
    gpuCases: [smooth],
    traits: { maxBindingBytes: 4096, software: false },
  });
});

test("smoothing is transformers' LabelSmoother: (1 - e) nll + e times the mean over the vocabulary of -log p", async () => {
  const [logits, label, e] = [[1, -2, 0.5, 3], 2, 0.1];
  const total = logits.reduce((sum, x) => sum + Math.exp(x), 0);
  const nll = logits.map((x) => Math.log(total) - x);
  const wanted = (1 - e) * nll[label]! + (e * nll.reduce((sum, x) => sum + x, 0)) / 4;
  const inputs = {
    logits: { ...f32([1, 4]), values: logits },
    labels: { dtype: "i32", shape: [1], values: [label] },
  } as const;
  const { loss } = await runOp(createCpuRuntime({ precision: "float64" }), crossEntropyOp, {
    inputs,
    attrs: { smoothing: e },
  });
  expect(loss![0]).toBeCloseTo(wanted, 12);
});

test("a smoothing of 1 or more would leave nothing of the label", async () => {
  const check = { ...smooth, attrs: { smoothing: 1 } };
  await expect(runOp(createCpuRuntime(), crossEntropyOp, check)).rejects.toThrow("smoothing is 1, wanted 0 or more");
});
