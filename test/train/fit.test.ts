import { describe, expect, test } from "vitest";
import { memoryBudget } from "../../src/cli/memory.ts";
import { UserError } from "../../src/core/errors.ts";
import { sequencesOf } from "../../src/data/sequence.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { layoutParameters } from "../../src/model/parameters.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { OutOfMemory } from "../../src/runtime/out-of-memory.ts";
import { type Fit, type FitRequest, fitting, prepareWithin, trainerTapes } from "../../src/train/fit.ts";
import { stepForm } from "../../src/train/form.ts";
import { recordRows } from "../../src/train/rows.ts";
import type { StepOptions } from "../../src/train/step.ts";
import { createTrainer } from "../../src/train/trainer.ts";
import { fakeGpu } from "../support/fake-gpu.ts";

const config = gpt2Config({ vocabSize: 65, contextLength: 128, width: 64, layers: 6, heads: 4 });
const layout = layoutParameters(config);
const optimiser = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };

function tapesOf(fit: Fit, options: StepOptions = optimiser) {
  return trainerTapes(config, layout, { batch: 0, context: 128 }, options, fit);
}

function request(wanted: Fit, bytes?: number): { request: FitRequest; gpu: ReturnType<typeof fakeGpu> } {
  const gpu = fakeGpu();
  const budget = bytes === undefined ? undefined : { bytes, because: "--memory allows" };
  const runtime = createGpuRuntime(gpu);
  return { request: { wanted, need: (fit) => runtime.predict(tapesOf(fit)), device: runtime.name, budget }, gpu };
}

const wanted: Fit = { batchSize: 12, accumulationSteps: 1, recompute: false };
/** The passes that it takes, as `fitting` proposes them. */
const sizeOf = (fit: Partial<Fit>) => request(wanted).request.need({ ...wanted, ...fit }).bytes;

async function refusal(promise: Promise<unknown>): Promise<string> {
  const reason = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(reason).toBeInstanceOf(UserError);
  return (reason as UserError).message;
}

describe("a run that does not fit", () => {
  test("is refused in one line, before anything is made, with what it needs, what there is and what fits", async () => {
    const inPasses = (batchSize: number) => sizeOf({ batchSize, accumulationSteps: 12 / batchSize });
    const budget = Math.ceil((inPasses(4) + inPasses(6)) / 2);
    const { request: asked, gpu } = request(wanted, budget);
    let prepared = false;
    const message = await refusal(
      prepareWithin(asked, async () => {
        prepared = true;
      }),
    );
    expect(prepared).toBe(false);
    expect(gpu.buffers).toBe(0);
    expect(message).not.toContain("\n");
    expect(message).toMatch(/^training needs [\d.]+ MiB of memory, [\d.]+ MiB is what --memory allows; what fits: /);
    expect(message).toContain("--batch-size 4 --gradient-accumulation-steps 3 (");
    expect(message).toContain("--recompute (");
  });

  test("what is proposed does fit, the next larger does not, and a step keeps its records", () => {
    for (const share of [0.9, 0.6, 0.4, 0.3]) {
      const budget = sizeOf({}) * share;
      for (const fit of fitting(request(wanted, budget).request, budget)) {
        expect(sizeOf(fit)).toBeLessThanOrEqual(budget);
        expect(fit.batchSize * fit.accumulationSteps).toBe(12);
        const larger = [1, 2, 3, 4, 6, 12].find((batchSize) => batchSize > fit.batchSize);
        if (larger) {
          expect(sizeOf({ ...fit, batchSize: larger, accumulationSteps: 12 / larger })).toBeGreaterThan(budget);
        }
      }
    }
  });

  test("says so where nothing would fit", async () => {
    const { request: asked } = request(wanted, 2 ** 20);
    expect(await refusal(prepareWithin(asked, async () => {}))).toMatch(/--batch-size 1 --recompute .*would not fit/);
  });

  test("is told what fits, too, where a device can never have so much", async () => {
    const below = (most: number): FitRequest => ({
      wanted,
      need({ batchSize }) {
        if (batchSize > most) throw new OutOfMemory("a 32-bit memory has no room for more; use a smaller batch");
        return { bytes: 2 ** 20 * batchSize };
      },
      device: "WebAssembly",
    });
    const told = (most: number) => refusal(prepareWithin(below(most), async () => {}));
    expect(await told(4)).toBe(
      "training needs more memory than there is (WebAssembly); what fits: --batch-size 4 --gradient-accumulation-steps 3 (4.0 MiB)",
    );
    expect(await told(0)).toMatch(
      /^training needs more memory than there is \(WebAssembly\), and --batch-size 1 --recompute would not fit; use a smaller/,
    );
  });

  test("is offered without samples first, and so smaller only where nothing else fits", () => {
    const need = ({ batchSize, samples }: Fit) => ({ bytes: 10 * batchSize + (samples ? 50 : 0) });
    const asked: FitRequest = { wanted: { ...wanted, samples: true }, need, device: "none" };
    const choices = (bytes: number) =>
      fitting(asked, bytes).map(({ batchSize, samples }) => `${batchSize}${samples ? " and samples" : ""}`);
    expect(choices(150)).toEqual(["12", "6 and samples"]);
    expect(choices(115)).toEqual(["6 and samples"]);
    expect(choices(40)).toEqual(["4"]);
  });
});

test("a GPU that turns out to have too little gives everything back, and the same line", async () => {
  const gpu = fakeGpu(sizeOf({}) - 1000);
  const runtime = createGpuRuntime(gpu);
  const asked: FitRequest = { wanted, need: (fit) => runtime.predict(tapesOf(fit)), device: runtime.name };
  const message = await refusal(prepareWithin(asked, () => runtime.compile(tapesOf(wanted)[0]!)));
  expect(message).toMatch(/^training needs [\d.]+ MiB of memory, more than a device that only counts has; /);
  expect(message).toContain("--batch-size 12 --recompute (");
  expect(gpu.buffers).toBe(0);
});

test("what fits is prepared, and told what it takes", async () => {
  const { request: asked } = request(wanted, sizeOf({}));
  expect(await prepareWithin(asked, async (need) => need.bytes)).toBe(sizeOf({}));
});

test("the budget is what was said, else what is free where the CPU computes, else unknown", () => {
  const hardware = createGpuRuntime(fakeGpu());
  const software = createGpuRuntime(fakeGpu(), { software: true });
  expect(memoryBudget(hardware, undefined)).toBeUndefined();
  expect(memoryBudget(hardware, 2)?.bytes).toBe(2 * 2 ** 30);
  expect(memoryBudget(software, undefined, () => 1000)?.bytes).toBe(900);
  expect(memoryBudget(software, undefined)?.bytes).toBeGreaterThan(0);
});

test.each([1, 3])("a trainer takes what was predicted for it, %d passes a step", async (accumulation) => {
  const gpu = fakeGpu();
  const runtime = createGpuRuntime(gpu);
  const records = sequencesOf([{ ids: new Uint32Array(129) }]);
  const source = recordRows(records, { rowsPerStep: 2 * accumulation, seed: 1 });
  const schedule = { learningRate: 1, warmupSteps: 0, maxSteps: 1, seed: 1 };
  const trainer = createTrainer(runtime, config, layout, source, {
    ...optimiser,
    ...schedule,
    batchSize: 2,
    accumulation,
  });
  await trainer.prepare();
  const fit = { batchSize: 2, accumulationSteps: accumulation, recompute: false };
  const { bytes } = runtime.predict(tapesOf(fit, { ...optimiser, ...stepForm(runtime) }), 0);
  expect(gpu.bytes).toBe(bytes);
});
