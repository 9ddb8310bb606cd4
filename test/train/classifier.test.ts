import { describe, expect, test } from "vitest";
import { backward } from "../../src/autograd/backward.ts";
import { createTape } from "../../src/autograd/tape.ts";
import { fillNormal } from "../../src/core/philox.ts";
import { crossEntropy } from "../../src/kernels/cross-entropy.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { f32 } from "../../src/kernels/op.ts";
import { scaledSum } from "../../src/kernels/scaled-sum.ts";
import { packStep, STEP } from "../../src/kernels/step.ts";
import { DEFAULT_TRAITS } from "../../src/kernels/traits.ts";
import { compareTensors } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { classifierLoss, logitsForm, rowsPerChunk } from "../../src/train/classifier.ts";
import { openTestRuntime, testDrivers } from "../support/drivers.ts";

const [N, C, V] = [200, 16, 37];

function declare() {
  const tape = createTape();
  const hidden = tape.input("hidden", f32([N, C]));
  const table = tape.input("table", f32([V, C]));
  const labels = tape.input("labels", { dtype: "i32", shape: [N] });
  return { tape, hidden, table, labels, step: tape.input("step", STEP) };
}

function inputs() {
  const draw = (length: number, item: number) => {
    const data = new Float32Array(length);
    fillNormal(data, 1, 3, 950, item);
    return data;
  };
  const labels = Int32Array.from({ length: N }, (_, i) => (i % 9 === 0 ? -100 : (i * 7) % V));
  const step = packStep({ seed: 0, step: 1, learningRate: 0, lossScale: 0.01 });
  return { hidden: draw(N * C, 0), table: draw(V * C, 1), labels, step };
}

/** Loss and gradients by the plain ops: whole logits, differentiated by `backward`. */
async function plain(runtime: Runtime, smoothing = 0) {
  const { tape, hidden, table, labels, step } = declare();
  const loss = scaledSum(crossEntropy(matmul(hidden, table, { transposeB: true }), labels, { smoothing }), step);
  const one = tape.constant(f32([1]), Float32Array.of(1));
  const [dhidden, dtable] = backward(tape, [{ value: loss, gradient: one }], [hidden, table]);
  tape.output("loss", loss);
  tape.output("dhidden", dhidden!);
  tape.output("dtable", dtable!);
  return (await runtime.compile(tape)).run(inputs());
}

const BOTH = { hidden: true, table: true };

/** The same in chunks of 64 rows, the last one of 8. */
async function chunked(runtime: Runtime, wanted = BOTH, smoothing = 0, alignment = 1) {
  const { tape, hidden, table, labels, step } = declare();
  const { loss, seeds } = classifierLoss(tape, hidden, table, labels, step, {
    gradients: wanted,
    smoothing,
    logits: { alignment, bytes: 64 * Math.ceil(V / alignment) * alignment * 4 },
  });
  tape.output("loss", loss);
  for (const { value, gradient } of seeds) tape.output(value === hidden ? "dhidden" : "dtable", gradient);
  return (await runtime.compile(tape)).run(inputs());
}

describe("the loss in chunks is the loss of whole logits, gradients included", () => {
  test.each([0, 0.1])("CPU float64, label smoothing %d", async (smoothing) => {
    const runtime = createCpuRuntime({ precision: "float64" });
    const { error, tensor } = compareTensors(await chunked(runtime, BOTH, smoothing), await plain(runtime, smoothing));
    expect(error, tensor).toBeLessThan(1e-14);
    const aligned = await chunked(runtime, BOTH, smoothing, 64);
    expect(compareTensors(aligned, await plain(runtime, smoothing)).error).toBeLessThan(1e-14);
  });

  test.each(testDrivers)("%s", async (adapter) => {
    const runtime = await openTestRuntime(adapter);
    const wanted = await plain(createCpuRuntime({ precision: "float64" }), 0.1);
    for (const alignment of [1, 64]) {
      const { error, tensor } = compareTensors(await chunked(runtime, BOTH, 0.1, alignment), wanted);
      expect(error, `${tensor}, rows of a multiple of ${alignment}`).toBeLessThan(2e-6);
    }
    runtime.close();
  });

  test.each(testDrivers)("%s: the loss alone, as an evaluation asks for it, is the same", async (adapter) => {
    const runtime = await openTestRuntime(adapter);
    expect((await chunked(runtime, { hidden: false, table: false })).loss).toEqual((await chunked(runtime)).loss);
    runtime.close();
  });
});

test.each(["hidden", "table"] as const)(
  "the gradient of %s alone is the same, without work for the other",
  async (one) => {
    const runtime = createCpuRuntime({ precision: "float64" });
    const both = await chunked(runtime);
    const alone = await chunked(runtime, { hidden: one === "hidden", table: one === "table" });
    expect(Object.keys(alone).sort()).toEqual([`d${one}`, "loss"]);
    expect(alone[`d${one}`]).toEqual(both[`d${one}`]);
  },
);

test("logits of a large vocabulary are never whole: 4,096 rows of GPT-2's go in chunks of 320", () => {
  expect(rowsPerChunk(4096, 50257)).toBe(320);
  expect(rowsPerChunk(128, 65)).toBe(128);
  expect(rowsPerChunk(4096, 10_000_000)).toBe(64);
});

test("on a GPU rows of logits begin at multiples of 64 elements, and chunks are as large as a binding, up to 320 MiB", () => {
  expect(logitsForm(DEFAULT_TRAITS)).toEqual({ alignment: 64, bytes: DEFAULT_TRAITS.maxBindingBytes });
  expect(logitsForm({ software: false, maxBindingBytes: 2 ** 31 }).bytes).toBe(320 * 1024 * 1024);
  expect(logitsForm({ software: true, maxBindingBytes: 2 ** 31 })).toEqual({ alignment: 1, bytes: 64 * 1024 * 1024 });
});
