import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { createTape, type Tape } from "../../src/autograd/tape.ts";
import { stepSize } from "../../src/bench/step-sizes.ts";
import { ONE_THREAD } from "../../src/core/threads.ts";
import { addOp } from "../../src/kernels/add.ts";
import { OPS } from "../../src/kernels/index.ts";
import { type AnyOp, f32 } from "../../src/kernels/op.ts";
import { wasmKernelOf } from "../../src/kernels/wasm/index.ts";
import { WASM_MODULE } from "../../src/kernels/wasm.gen.ts";
import { decodeTape, prefillTape } from "../../src/model/decode.ts";
import { layoutParameters } from "../../src/model/parameters.ts";
import { browserThreads } from "../../src/platform/browser/threads.ts";
import { nodeThreads } from "../../src/platform/node/threads.ts";
import { runOp } from "../../src/runtime/compare.ts";
import { OutOfMemory } from "../../src/runtime/out-of-memory.ts";
import { createSlotPool } from "../../src/runtime/slots.ts";
import { type Block, createHeap, HEAP_START } from "../../src/runtime/wasm/heap.ts";
import type { WasmLayout } from "../../src/runtime/wasm/layout.ts";
import { slotsOf, takeMemory, type WasmMemory } from "../../src/runtime/wasm/memory.ts";
import { createWasmRuntime, openWasm } from "../../src/runtime/wasm.ts";
import { trainingTape } from "../../src/train/step.ts";
import { type TinyRun, trainTiny } from "../browser/tiny.ts";
import { smallConfig, smallLayout } from "../support/small-model.ts";
import { guard, openTestWasm, wasmRuntime } from "../support/wasm.ts";

const optimiser = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };

function stepOf(context?: number): Tape {
  const { config, shape } = stepSize("nanogpt", "software");
  return trainingTape(config, layoutParameters(config), { ...shape, context: context ?? shape.context }, optimiser);
}

test("a training run has the same bits on 1, 2 and 4 threads, in shared memory and in its own", async () => {
  const runs: TinyRun[] = [];
  for (const host of [ONE_THREAD, nodeThreads(1), nodeThreads(2), nodeThreads(4)]) {
    const wasm = await openWasm(host);
    const runtime = createWasmRuntime(wasm);
    runs.push(await trainTiny(runtime));
    runtime.close();
    wasm.close();
  }
  expect(runs[0]!.losses.at(-1)).toBeLessThan(runs[0]!.losses[0]!);
  for (const run of runs.slice(1)) expect(run).toEqual(runs[0]);
});

test("the module that everyone loads stays small", () => {
  expect(WASM_MODULE.length).toBeLessThan(60 * 1024);
});

test("large products, whose pieces many threads take, have the same bits on 1, 2 and 4 threads", async () => {
  const matmul = OPS.find(({ name }) => name === "matmul")!;
  const results: (ArrayLike<number> | undefined)[] = [];
  for (const threads of [1, 2, 4]) {
    const wasm = await openWasm(nodeThreads(threads));
    const runtime = createWasmRuntime(wasm);
    const check = {
      inputs: { a: f32([203, 309]), b: f32([309, 407]), bias: f32([407]) },
      attrs: { activation: "gelu" },
    };
    const { y, da, db } = await runOp(runtime, matmul, check);
    results.push([...y!, ...da!, ...db!]);
    runtime.close();
    wasm.close();
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});

test.each([
  ["logits", 144, 50257, 768],
  ["the classifier's gradient by its input", 128, 512, 50257],
  ["the same of 8 records", 144, 768, 50257],
  ["of its weights", 50257, 768, 144],
  ["of a long batch", 4096, 3072, 768],
])("no piece of a product keeps the event loop for more than 50 ms on a slow machine: %s", (_, M, N, K) => {
  const matmul = OPS.find(({ name }) => name === "matmul")!;
  const work = wasmKernelOf(matmul)!(
    { a: f32([M, K]), b: f32([K, N]) },
    { y: f32([M, N]) },
    {
      transposeA: false,
      transposeB: false,
      activation: "linear",
    },
  )!;
  const { args, pieces } = work.calls.at(-1)!;
  const [rows, columns] = [Number(args[5]), Number(args[6])];
  expect(pieces).toBe(Math.ceil(M / rows) * Math.ceil(N / columns));
  // Of 10 GFLOP/s, a quarter of what one thread does here.
  expect((2 * rows * columns * K) / 10e6).toBeLessThan(54);
});

describe("the ops of a training step and of generation have kernels: nothing of them is left to an engine's own Math", () => {
  test("a training step", () => {
    const loops = stepOf().nodes.filter(
      ({ op, inputs, outputs, attrs }) => !wasmKernelOf(op)?.(inputs, outputs, attrs),
    );
    expect(loops.map(({ op }) => op.name)).toEqual([]);
  });

  test("generation", () => {
    const shape = { rows: 3, places: 32, settings: 64 };
    const tapes = [
      prefillTape(smallConfig, smallLayout, shape, { prompts: 2, length: 8 }, "sample"),
      decodeTape(smallConfig, smallLayout, shape, "sample"),
    ];
    const nodes = tapes.flatMap((tape) => [...tape.nodes]);
    const loops = nodes.filter(({ op, inputs, outputs, attrs }) => !wasmKernelOf(op)?.(inputs, outputs, attrs));
    expect(loops.map(({ op }) => op.name)).toEqual([]);
  });
});

describe("memory", () => {
  test("what is predicted is where the memory ends, plans of several lengths together", async () => {
    const wasm = await openWasm(nodeThreads(2));
    const runtime = createWasmRuntime(wasm);
    const tapes = () => [64, 40, 24].map((T) => stepOf(T));
    const need = runtime.predict(tapes(), 0);
    const programs = [];
    for (const tape of tapes()) programs.push(await runtime.compile(tape));
    expect(wasm.heap.other.end).toBe(need.bytes);
    expect(wasm.memory.buffer.byteLength - need.bytes).toBeLessThan(65536);
    expect(programs[0]!.stats.stateBytes).toBe(need.stateBytes);
    runtime.close();
    // All that was given back is one stretch again.
    expect(wasm.heap.other.take(need.bytes - HEAP_START - 64).address).toBe(HEAP_START);
    wasm.close();
  });

  test("more than 4 GiB is refused, and leaves nothing behind", async () => {
    const wasm = await openWasm();
    const runtime = createWasmRuntime(wasm);
    const tape = createTape();
    const x = tape.input("x", f32([2 ** 29]));
    tape.output("y", addOp.apply({ a: x, b: x }).y);
    tape.state("s", f32([2 ** 29]));
    await expect(runtime.compile(tape)).rejects.toThrow(/a 32-bit memory of 4 GiB has no room for 2.00 GiB more/);
    expect(wasm.memory.buffer.byteLength).toBeLessThan(2 ** 20 + 2 ** 32);
    runtime.close();
    wasm.close();
  });

  test("what there is no room for leaves nothing behind, of states either", () => {
    const heap = createHeap();
    const memory: WasmMemory = {
      heap,
      slots: createSlotPool(slotsOf(heap)),
      ...{ hasState: () => false, dropState: () => heap.give(state!) },
      ensureState: (_, __, bytes) => {
        state = heap.take(bytes);
        return state.address;
      },
    };
    let state: Block | undefined;
    const [KB, GB] = [2 ** 10, 2 ** 30];
    const take = (stateBytes: number, slots: number[]) => {
      const place = { kind: "state", name: "s", type: f32([stateBytes / 4]), bytes: stateBytes } as const;
      return takeMemory({ places: [place], slots } as unknown as WasmLayout, memory);
    };
    expect(() => take(2 * GB, [GB, 2 * GB])).toThrow(OutOfMemory);
    expect(() => take(2 * GB, [GB, 0.5 * GB])).not.toThrow();
    const rest = heap.take(0.5 * GB - 2 * KB);
    expect(() => take(0.25 * GB, [KB])).toThrow(OutOfMemory);
    heap.give(rest);
    expect(() => take(0.5 * GB - 4 * KB, [KB])).not.toThrow();
  });

  test("free stretches that touch become one, and the first that is large enough is taken", () => {
    const heap = createHeap();
    const [a, b, c] = [heap.take(100), heap.take(64), heap.take(1000)];
    heap.give(a);
    heap.give(c);
    expect(heap.take(2000).address).toBe(c.address);
    heap.give(b);
    expect(heap.take(192).address).toBe(a.address);
    expect(heap.end).toBe(c.address + 2048);
  });
});

describe("guard zones", () => {
  /** `add`, whose kernel is told of `more` elements than there are. */
  function addWith(more: number): AnyOp {
    const honest = addOp as unknown as AnyOp;
    return {
      ...honest,
      wasm(inputs, outputs, attrs) {
        const work = wasmKernelOf(honest)!(inputs, outputs, attrs)!;
        return { calls: work.calls.map((call) => ({ ...call, args: [6 + more, ...call.args.slice(1)] })) };
      },
    };
  }
  const x = { ...f32([6]), values: [1, 2, 3, 4, 5, 6] };

  test.each([
    [0, [2, 4, 6, 8, 10, 12]],
    [-1, [2, 4, 6, 8, 10, Number.NaN]],
  ])("a kernel told of %d more elements", async (more, wanted) => {
    const runtime = await wasmRuntime();
    expect([...(await runOp(runtime, addWith(more), { inputs: { a: x, b: x } })).y!]).toEqual(wanted);
    runtime.close();
  });

  test("one write past the end is found", async () => {
    const wasm = await openWasm(ONE_THREAD, guard);
    const runtime = createWasmRuntime(wasm);
    const run = async () => {
      await runOp(runtime, addWith(20), { inputs: { a: x, b: x } });
      runtime.close();
    };
    await expect(run()).rejects.toThrow("past the end");
  });
});

describe("order", () => {
  test("what is asked for while a run is under way happens after it, with the data of then", async () => {
    const wasm = await openTestWasm();
    const runtime = createWasmRuntime(wasm);
    const tape = createTape();
    const s = tape.state("s", f32([4]));
    tape.output("y", addOp.apply({ a: s, b: tape.input("x", f32([4])) }).y);
    const program = await runtime.compile(tape);
    const [given, next] = [Float32Array.of(1, 2, 3, 4), Float32Array.of(10, 20, 30, 40)];
    const first = program.run({ x: given });
    given.fill(100);
    runtime.writeState("s", next);
    next.fill(-1);
    const second = program.run({ x: Float32Array.of(1, 1, 1, 1) });
    runtime.clearState("s");
    expect([...(await first).y!]).toEqual([1, 2, 3, 4]);
    expect([...(await second).y!]).toEqual([11, 21, 31, 41]);
    expect([...(await runtime.readState("s"))]).toEqual([0, 0, 0, 0]);
    runtime.close();
  });

  test("a signal is heard between ops, however short the runs, and ends them with its reason", async () => {
    const stop = new AbortController();
    const wasm = await openTestWasm();
    const runtime = createWasmRuntime(wasm, { signal: stop.signal });
    const tape = createTape();
    const s = tape.state("s", f32([64]));
    tape.output("y", addOp.apply({ a: s, b: s }).y);
    const program = await runtime.compile(tape);
    const reason = new Error("enough");
    setTimeout(() => stop.abort(reason), 5);
    const forever = async () => {
      for (;;) await program.run({});
    };
    await expect(forever()).rejects.toBe(reason);
    await expect(runtime.readState("s")).rejects.toBe(reason);
    runtime.close();
    // What was left has left nothing under way.
    const other = createWasmRuntime(wasm);
    expect([...(await (await other.compile(tape)).run({})).y!]).toEqual(Array(64).fill(0));
    other.close();
  });

  test("timers are not kept waiting by a long run", async () => {
    const runtime = await wasmRuntime();
    const { config } = stepSize("nanogpt", "software");
    const tape = stepOf();
    const program = await runtime.compile(tape);
    const ids = (length: number) => new Uint32Array(length);
    const shape = [12, 64] as const;
    const inputs = {
      ...{ tokens: ids(768), positions: ids(768), lengths: ids(12).fill(64), step: ids(8) },
      ...{ tokenOrder: ids(768).map((_, i) => i), positionOrder: ids(768).map((_, i) => i) },
      labels: new Int32Array(shape[0] * shape[1]),
    };
    expect(config.vocabSize).toBe(65);
    let [longest, last] = [0, performance.now()];
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    last = performance.now();
    await Promise.all(Array.from({ length: 4 }, () => program.run(inputs)));
    clearInterval(timer);
    // 25 ms of work at a time, on a machine that may have other things to do
    expect(longest).toBeLessThan(1000);
    runtime.close();
  });
});

test.each([
  ["nodeThreads", nodeThreads],
  ["browserThreads", browserThreads],
])("%s takes numbers of threads that there can be", (name, threads) => {
  for (const wrong of [0, -1, 1.5, Number.NaN, "2" as never, null as never])
    expect(() => threads(wrong)).toThrow(new RegExp(`^${name}: .* threads; wanted a whole number, 1 or more$`));
  expect(() => threads(1e6)).toThrow(new RegExp(`^${name}: 1000000 threads; wanted at most \\d+ where there `));
  expect(threads().threads).toBeGreaterThan(0);
});

test("threads keep no process alive, whether the device is closed or not, and Node has nothing to say of their number", () => {
  const script = `
    import { openWasm } from ${JSON.stringify(new URL("../../dist/runtime/wasm.js", import.meta.url).href)};
    import { nodeThreads } from ${JSON.stringify(new URL("../../dist/platform/node/threads.js", import.meta.url).href)};
    await openWasm(nodeThreads(12));
    process.stdout.on("error", () => {});
    console.log("opened");
  `;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    encoding: "utf8",
    timeout: 20_000,
  });
  expect(stdout).toBe("opened\n");
  expect(stderr).toBe("");
  expect(status).toBe(0);
});
