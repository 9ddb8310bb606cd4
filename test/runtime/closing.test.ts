import { describe, expect, test } from "vitest";
import { createTape } from "../../src/autograd/tape.ts";
import { ClosedError } from "../../src/core/errors.ts";
import { sequencesOf } from "../../src/data/sequence.ts";
import { createGenerator } from "../../src/generate/generate.ts";
import { createScorer } from "../../src/generate/score.ts";
import { add } from "../../src/kernels/add.ts";
import { f32 } from "../../src/kernels/op.ts";
import { ARENA, readArena, writeArena } from "../../src/model/arena.ts";
import { initialParameters } from "../../src/model/parameters.ts";
import { nodeThreads, openGpu } from "../../src/platform/node.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { createWasmRuntime, openWasm } from "../../src/runtime/wasm.ts";
import { createEvaluator } from "../../src/train/evaluate.ts";
import { recordRows } from "../../src/train/rows.ts";
import { createTrainer, resetOptimizer } from "../../src/train/trainer.ts";
import { withDevice } from "../support/device.ts";
import { openTestGpu, type TestAdapter, testAdapters } from "../support/gpu.ts";
import { smallConfig as config, smallLayout as layout } from "../support/small-model.ts";
import { wasmRuntime } from "../support/wasm.ts";

const sequences = sequencesOf([{ ids: [10, 1, 2, 10] }, { ids: [10, 3, 4, 10] }]);
const options = {
  ...{ beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1, learningRate: 1e-3 },
  ...{ warmupSteps: 0, maxSteps: 1000, batchSize: 1, accumulation: 2, seed: 1 },
};

function trainer(runtime: Runtime) {
  return createTrainer(runtime, config, layout, recordRows(sequences, { rowsPerStep: 2, seed: 1 }), options);
}

function bringWeights(runtime: Runtime): void {
  writeArena(runtime, layout, ARENA.parameters, initialParameters(config, layout, 1));
}

/** What goes on for as long as it is let, from a first result on; `began` is called at that. */
const WORKS: Readonly<Record<string, (runtime: Runtime, began: () => void) => Promise<unknown>>> = {
  async train(runtime, began) {
    for await (const _ of trainer(runtime).run()) began();
  },
  async generate(runtime, began) {
    const generator = createGenerator(runtime, config, layout);
    for (;;) {
      await generator.generate([[1]], { maxNewTokens: 30, eosTokenId: null });
      began();
    }
  },
  async stream(runtime, began) {
    const generator = createGenerator(runtime, config, layout);
    for (;;) for await (const _ of generator.stream([1], { maxNewTokens: 30, eosTokenId: null })) began();
  },
  async evaluate(runtime, began) {
    const evaluator = createEvaluator(runtime, config, layout, sequences, 1);
    for (;;) {
      await evaluator.evaluate();
      began();
    }
  },
};

describe("on WebAssembly", () => {
  test.each(Object.entries(WORKS))("closing ends %s, at any time, however often", async (_, work) => {
    for (const device of ["left open", "closed", "lost"]) {
      const host = nodeThreads(2);
      let lose: (reason: unknown) => void = () => {};
      const wasm = await openWasm({
        ...host,
        start(job) {
          lose = job.failed;
          return host.start(job);
        },
      });
      const runtime = createWasmRuntime(wasm);
      bringWeights(runtime);
      let ended: Promise<unknown> = Promise.resolve();
      await new Promise<void>((began) => {
        ended = work(runtime, began).catch((error: unknown) => error);
      });
      if (device === "lost") lose(new Error("out of memory"));
      else runtime.close();
      if (device === "closed") wasm.close();
      expect(((await ended) as Error).name).toBe(device === "lost" ? "DeviceLostError" : "ClosedError");
      runtime.close();
      await expect(runtime.readState(ARENA.parameters)).rejects.toThrow(ClosedError);
      await expect(runtime.compile(createTape())).rejects.toThrow(ClosedError);
      wasm.close();
      wasm.close();
    }
  });

  test("two runtimes compute on one device at once, and closing one leaves the other alone", async () => {
    const wasm = await openWasm(nodeThreads(2));
    const one = createWasmRuntime(wasm);
    bringWeights(one);
    const wanted = await createGenerator(one, config, layout).generate([[1]], { maxNewTokens: 30, eosTokenId: null });
    const other = createWasmRuntime(wasm);
    bringWeights(other);
    const training = trainer(one).run().next();
    const got = createGenerator(other, config, layout).generate([[1]], { maxNewTokens: 30, eosTokenId: null });
    const reading = readArena(one, layout, ARENA.parameters).catch((error: unknown) => error);
    one.close();
    expect(await reading).toBeInstanceOf(ClosedError);
    await expect(training).rejects.toThrow(ClosedError);
    expect(await got).toEqual(wanted);
    expect(await readArena(other, layout, ARENA.parameters)).toEqual(initialParameters(config, layout, 1));
    other.close();
    wasm.close();
  });

  test("a program that was disposed of says so", async () => {
    const runtime = await wasmRuntime();
    const tape = createTape();
    const x = tape.input("x", f32([4]));
    tape.output("y", add(x, x));
    const program = await runtime.compile(tape);
    program.dispose();
    await expect(program.run({ x: new Float32Array(4) })).rejects.toThrow(/was disposed of; compile its tape again/);
    runtime.close();
  });
});

/** What becomes of the device just then. */
const DEVICES = ["left open", "closed", "lost"] as const;

/** A device compiles anew, for which SwiftShader takes seconds: there each work has one of them, and each of them a work. */
function devicesOf(adapter: TestAdapter, work: number): readonly (typeof DEVICES)[number][] {
  return adapter === "embedded" ? [DEVICES[work % DEVICES.length]!] : DEVICES;
}

// An unhandled rejection fails the run by itself.
describe.each(testAdapters)("on %s", (adapter) => {
  test.each(Object.entries(WORKS).map(([name, work], i) => [name, work, devicesOf(adapter, i)] as const))(
    "closing ends %s, at any time, however often",
    async (_, work, devices) => {
      for (const device of devices) {
        const gpu = device === "left open" ? await openTestGpu(adapter) : await openGpu({ adapter });
        const runtime = createGpuRuntime(gpu);
        bringWeights(runtime);
        let ended: Promise<unknown> = Promise.resolve();
        await new Promise<void>((began) => {
          ended = work(runtime, began).catch((error: unknown) => error);
        });
        if (device === "lost") gpu.device.destroy();
        runtime.close();
        if (device === "closed") gpu.close();
        runtime.close();
        expect(((await ended) as Error).name).toMatch(/^(ClosedError|DeviceLostError)$/);
        await expect(runtime.readState(ARENA.parameters)).rejects.toThrow(ClosedError);
        await expect(runtime.compile(createTape())).rejects.toThrow(ClosedError);
        if (device === "left open") continue;
        gpu.close();
        gpu.close();
      }
    },
    120_000,
  );

  test("a stream that was aborted or left has nothing on the device, which may be closed", async () => {
    const gpu = await openGpu({ adapter });
    const runtime = createGpuRuntime(gpu);
    bringWeights(runtime);
    const generator = createGenerator(runtime, config, layout);
    const given = { maxNewTokens: 30, eosTokenId: null };
    for await (const _ of generator.stream([1], given)) break;
    const abort = new AbortController();
    const aborted = async () => {
      for await (const _ of generator.stream([1], given, abort.signal)) abort.abort();
    };
    await expect(aborted()).rejects.toThrow(/aborted/);
    runtime.close();
    gpu.close();
  });

  test("closing one runtime leaves another on the device alone", async () => {
    const gpu = await openTestGpu(adapter);
    const [one, other] = [createGpuRuntime(gpu), createGpuRuntime(gpu)];
    for (const runtime of [one, other]) bringWeights(runtime);
    const reading = readArena(one, layout, ARENA.parameters).catch((error: unknown) => error);
    one.close();
    expect(await reading).toBeInstanceOf(ClosedError);
    expect(await readArena(other, layout, ARENA.parameters)).toEqual(initialParameters(config, layout, 1));
    other.close();
  });

  test("a program that was disposed of says so", async () => {
    const runtime = createGpuRuntime(await openTestGpu(adapter));
    const tape = createTape();
    const x = tape.input("x", f32([4]));
    tape.output("y", add(x, x));
    const program = await runtime.compile(tape);
    program.dispose();
    await expect(program.run({ x: new Float32Array(4) })).rejects.toThrow(/was disposed of; compile its tape again/);
    runtime.close();
  });
});

test.each(testAdapters)(
  "%s: a state that there is no memory for is told of by what is awaited next",
  async (adapter) => {
    const gpu = await openTestGpu(adapter);
    const refusing = withDevice(gpu, {
      popErrorScope: async () => {
        await gpu.device.popErrorScope();
        return { message: "no memory" } as GPUError;
      },
    });
    const runtime = createGpuRuntime(refusing);
    bringWeights(runtime);
    await expect(runtime.readState(ARENA.parameters)).rejects.toThrow(/out of memory: .* were wanted for "parameters"/);
    runtime.close();
  },
);

test.each([
  ["CPU", async () => createCpuRuntime()],
  ["WebAssembly", () => wasmRuntime()],
])("a %s runtime that was closed says so", async (_, open) => {
  const runtime = await open();
  bringWeights(runtime);
  runtime.close();
  runtime.close();
  await expect(runtime.readState(ARENA.parameters)).rejects.toThrow("the runtime was closed");
  expect(() => bringWeights(runtime)).toThrow(ClosedError);
});

describe("weights", () => {
  test("come before, after or without a trainer, and moments too", async () => {
    const runtime = createCpuRuntime();
    const steps = trainer(runtime);
    resetOptimizer(runtime, layout);
    bringWeights(runtime);
    for await (const { step } of steps.run()) if (step === 2) break;
    expect(await readArena(runtime, layout, ARENA.parameters)).not.toEqual(initialParameters(config, layout, 1));
  });

  test("are missed by name where there are none", async () => {
    const runtime = createCpuRuntime();
    const missing =
      /the runtime has no weights yet \("parameters" was never written\); bring a model's with writeArena/;
    await expect(createGenerator(runtime, config, layout).generate([[1]])).rejects.toThrow(missing);
    await expect(createScorer(runtime, config, layout).score([[1, 2]])).rejects.toThrow(missing);
    await expect(createEvaluator(runtime, config, layout, sequences, 1).evaluate()).rejects.toThrow(missing);
    await expect(trainer(runtime).run().next()).rejects.toThrow(missing);
    await expect(readArena(runtime, layout, ARENA.m)).rejects.toThrow(
      /no state "adam m" \(it has .*\); writeArena makes/,
    );
  });
});

test.each([
  ["text", /the prompts are a text; wanted a list of prompts, each its ids: \[tokenizer\.encode\(text\)\]/],
  [["text"], /prompt 0 is a text; wanted its ids, as tokenizer\.encode\(text\) gives them/],
  [[1, 2], /the prompts are one list of ids; wanted a list of prompts/],
  [[[1], undefined], /prompt 1 is undefined; wanted its ids/],
])("generate(%j) says what it wanted", async (prompts, message) => {
  const runtime = createCpuRuntime();
  await expect(createGenerator(runtime, config, layout).generate(prompts as number[][])).rejects.toThrow(message);
});

test("ids may be typed arrays, and a scorer looks at them", async () => {
  const runtime = createCpuRuntime();
  bringWeights(runtime);
  const generator = createGenerator(runtime, config, layout);
  const given = { maxNewTokens: 2, eosTokenId: null };
  expect(await generator.generate([Int32Array.of(1, 2)], given)).toEqual(await generator.generate([[1, 2]], given));
  const scorer = createScorer(runtime, config, layout);
  await expect(scorer.score([[1, 11]])).rejects.toThrow("sequence 0 has id 11; wanted ids from 0 to 10");
  await expect(scorer.score([[1]])).rejects.toThrow("sequence 0 has 1 ids; wanted 2 to 41");
  expect(await scorer.score([])).toEqual([]);
});

test("a device that was not awaited is named", () => {
  const promise = Promise.resolve() as never;
  expect(() => createGpuRuntime(promise)).toThrow(
    "createGpuRuntime: got a promise, which was not awaited; wanted an open",
  );
  expect(() => createWasmRuntime(promise)).toThrow(
    "createWasmRuntime: got a promise, which was not awaited; wanted open",
  );
});
