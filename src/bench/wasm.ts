import { type AnyOp, defineOp, f32 } from "../kernels/op.ts";
import { at } from "../kernels/wasm.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import type { Runtime, Tensors } from "../runtime/runtime.ts";
import { timesOfNodes, timesOfOps } from "../runtime/tape-times.ts";
import { createWasmRuntime, type WasmDevice, wasmName } from "../runtime/wasm.ts";
import { exactly, fillAll, spread } from "./data.ts";
import { benchGenerate, type GenerateEffort } from "./generate.ts";
import { type Effort, FULL_EFFORT, median, QUICK_EFFORT } from "./measure.ts";
import { costOfWork, type OpWork, prepareIn, sourcesOf } from "./op-work.ts";
import { costOf, type Peak, ratesOf } from "./rates.ts";
import { OURS, type Row } from "./row.ts";
import { checkStep, compileStep, resetState, stepBatch, stepParameters } from "./step-program.ts";
import { modelFlops, type StepSize } from "./step-sizes.ts";
import { opWorks, SHAPES, squareWork } from "./works.ts";

const LANES = 4;
/** As wasm/bench.ts has them. */
const CHAINS = 13;

/** See `peak` of wasm/bench.ts. y: [4 pieces]. */
export const peakOp = defineOp({
  name: "peak",
  inputs: ["x"],
  outputs: ["y"],
  attrs: { pieces: 1, steps: 2 },
  shapes: (_inputs, { pieces }) => ({ y: f32([LANES * pieces]) }),
  cpu: (_inputs, { y }, { steps }) => {
    let sum = 0;
    for (let chain = 0; chain < CHAINS; chain++) {
      let c = chain;
      for (let step = 0; step < steps; step++) c = c * 0.5 + 0.5;
      sum += c;
    }
    y.data.fill(sum);
  },
  gpu: () => [],
  wasm: (_inputs, _outputs, { pieces, steps }) => ({ calls: [{ kernel: "peak", args: [steps, at("y")], pieces }] }),
  cost: (_inputs, _outputs, { pieces, steps }) => ({ flops: 2 * LANES * CHAINS * steps * pieces, bytes: 0 }),
  cases: [],
});

/** y = x. */
const copyOp = defineOp({
  name: "copy",
  inputs: ["x"],
  outputs: ["y"],
  shapes: ({ x }) => ({ y: x }),
  cpu: ({ x }, { y }) => y.data.set(x.data),
  gpu: () => [],
  wasm: ({ x }) => {
    const chunk = 2 ** 18;
    const n = x.shape[0]!;
    return { calls: [{ kernel: "copy", args: [n, chunk, at("x"), at("y")], pieces: Math.ceil(n / chunk) }] };
  },
  cost: ({ x }) => ({ flops: 0, bytes: 8 * x.shape[0]! }),
  cases: [],
});

function peakWork(pieces: number, steps: number): OpWork {
  const inputs = { x: exactly(f32([1]), Float32Array.of(0)) };
  return { work: "", op: peakOp as unknown as AnyOp, inputs, attrs: { pieces, steps } };
}

/** A work that is checked, and what runs it once. */
async function prepared(
  runtime: Runtime,
  work: OpWork,
): Promise<{ run(): Promise<void>; error: number; failed?: string }> {
  let pending: Promise<unknown> = Promise.resolve();
  // What queues a run on a GPU computes it here: the promise says when.
  const waiting: Runtime = {
    ...runtime,
    async compile(tape) {
      const program = await runtime.compile(tape);
      return {
        ...program,
        run(inputs) {
          const result = program.run(inputs);
          pending = result;
          return result;
        },
      };
    },
  };
  const { run, error, failed } = await prepareIn(waiting, work, fillAll(sourcesOf(work)), 1);
  return {
    error,
    ...(failed === undefined ? {} : { failed }),
    async run() {
      run();
      await pending;
    },
  };
}

async function timeRuns(run: () => Promise<unknown>, { samples, sampleMs }: Effort): Promise<number[]> {
  const one = async (): Promise<number> => {
    const start = performance.now();
    await run();
    return performance.now() - start;
  };
  await one();
  const runs = Math.max(1, Math.round(sampleMs / Math.max(0.01, await one())));
  const times: number[] = [];
  for (let i = 0; i < samples; i++) {
    const start = performance.now();
    for (let j = 0; j < runs; j++) await run();
    times.push((performance.now() - start) / runs);
  }
  return times;
}

/** Each in a runtime of its own, so that its memory is free for the next. */
async function withRuntime<T>(device: WasmDevice, use: (runtime: Runtime) => Promise<T>): Promise<T> {
  const runtime = createWasmRuntime(device);
  try {
    return await use(runtime);
  } finally {
    runtime.close();
  }
}

function rowOf(device: WasmDevice, work: string, times: readonly number[]): Row {
  return {
    work,
    system: OURS,
    device: wasmName(device.host.threads),
    median_ms: median(times),
    best_ms: Math.min(...times),
    samples: times.length,
  };
}

/** Multiply-adds in registers on all threads, GFLOP/s at the best. */
async function measurePeak(device: WasmDevice, effort: Effort): Promise<{ row: Row; gflopsPerS: number }> {
  const pieces = 4 * device.host.threads;
  const steps = 40_000;
  const work = peakWork(pieces, steps);
  return withRuntime(device, async (runtime) => {
    const { run, error } = await prepared(runtime, work);
    const times = await timeRuns(run, effort);
    const flops = 2 * LANES * CHAINS * steps * pieces;
    const row = rowOf(device, `peak: ${CHAINS * LANES} chains of products and sums`, times);
    return {
      row: { ...row, error, gflops_per_s: flops / median(times) / 1e6 },
      gflopsPerS: flops / Math.min(...times) / 1e6,
    };
  });
}

async function measureCopy(device: WasmDevice, quick: boolean, effort: Effort): Promise<{ row: Row; gbPerS: number }> {
  const elements = quick ? 2 ** 21 : 2 ** 23;
  const work: OpWork = { work: "", op: copyOp as unknown as AnyOp, inputs: { x: spread([elements], 1) } };
  return withRuntime(device, async (runtime) => {
    const { run, error } = await prepared(runtime, work);
    const times = await timeRuns(run, effort);
    const row = rowOf(device, `peak: copy of ${elements / 2 ** 18} MiB`, times);
    return {
      row: { ...row, error, gb_per_s: (8 * elements) / median(times) / 1e6 },
      gbPerS: (8 * elements) / Math.min(...times) / 1e6,
    };
  });
}

export interface WasmBenchOptions {
  readonly quick: boolean;
  readonly only?: string | undefined;
}

/** What the processor does in registers and in memory, one thread and all; every op at nanoGPT's shapes; square products. */
export async function* benchWasmKernels(
  all: WasmDevice,
  one: WasmDevice,
  { quick, only }: WasmBenchOptions,
): AsyncGenerator<Row, void> {
  const effort = quick ? QUICK_EFFORT : FULL_EFFORT;
  const squares = (quick ? [256] : [512, 1024]).map((size) => squareWork(size));
  for (const device of one.host.threads === all.host.threads ? [all] : [one, all]) {
    const arithmetic = await measurePeak(device, effort);
    const copying = await measureCopy(device, quick, effort);
    yield arithmetic.row;
    yield copying.row;
    const works = device === all ? [...squares, ...opWorks(SHAPES[0]!)] : squares;
    for (const work of works.filter((each) => !only || each.work.includes(only))) {
      yield await withRuntime(device, async (runtime): Promise<Row> => {
        const { run, error, failed } = await prepared(runtime, work);
        if (failed !== undefined) return { ...rowOf(device, work.work, [0]), error, failed };
        const times = await timeRuns(run, effort);
        // In turns with the work: the machine may have other things to do now than it had a minute ago.
        const again = await measurePeak(device, QUICK_EFFORT);
        const peak: Peak = { gflopsPerS: again.gflopsPerS, halfGflopsPerS: again.gflopsPerS, gbPerS: copying.gbPerS };
        return { ...rowOf(device, work.work, times), ...ratesOf(costOfWork(work), median(times), peak), error };
      });
    }
  }
}

/** Sampling on each model; see `benchGenerate`. */
export async function* benchWasmGenerate(
  device: WasmDevice,
  sizes: readonly StepSize[],
  sampling: GenerateEffort,
  { quick }: WasmBenchOptions,
): AsyncGenerator<Row, void> {
  const effort = quick ? QUICK_EFFORT : FULL_EFFORT;
  const arithmetic = await measurePeak(device, effort);
  const copying = await measureCopy(device, quick, effort);
  yield arithmetic.row;
  yield copying.row;
  const { gflopsPerS } = arithmetic;
  const peak: Peak = { gflopsPerS, halfGflopsPerS: gflopsPerS, gbPerS: copying.gbPerS };
  for (const size of sizes) yield* await benchGenerate(createWasmRuntime(device), size, peak, sampling);
}

/** Training steps: checked, timed, and the share of each op. */
export async function* benchWasmStep(
  device: WasmDevice,
  sizes: readonly StepSize[],
  { quick }: WasmBenchOptions,
): AsyncGenerator<Row, void> {
  const effort = quick ? QUICK_EFFORT : { ...FULL_EFFORT, samples: 15 };
  const { row, gflopsPerS } = await measurePeak(device, quick ? QUICK_EFFORT : FULL_EFFORT);
  yield row;
  for (const size of sizes) yield* benchOneStep(device, size, effort, gflopsPerS);
}

async function* benchOneStep(
  device: WasmDevice,
  size: StepSize,
  effort: Effort,
  gflopsPerS: number,
): AsyncGenerator<Row, void> {
  const work = `step ${size.name}`;
  const runtime = createWasmRuntime(device);
  try {
    const { layout, arena } = stepParameters(size);
    const compiled = await compileStep(runtime, size);
    resetState(runtime, size, arena);
    const first = performance.now();
    let firstMs = 0;
    const run = async (batch: Parameters<typeof compiled.inputs>[0], step: number): Promise<Tensors> => {
      const results = await compiled.program.run(compiled.inputs(batch, step));
      firstMs ||= performance.now() - first;
      return results;
    };
    const { error, failed } = await checkStep(size, arena, run, createCpuRuntime());
    if (failed !== undefined) {
      yield { work, system: OURS, device: runtime.name, error, failed };
      return;
    }
    const batch = stepBatch(size, size.shape, size.shape.context, false);
    let step = 0;
    const times = await timeRuns(() => run(batch, ++step), effort);
    const parameters = layout.entries.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const flops = modelFlops(size, parameters);
    const { stats } = compiled.program;
    yield {
      ...rowOf(device, work, times),
      tokens_per_s: (1000 * size.shape.batch * size.shape.context) / median(times),
      model_gflops_per_s: flops / median(times) / 1e6,
      model_flops_utilisation: flops / median(times) / 1e6 / gflopsPerS,
      first_step_ms: firstMs,
      dispatches: stats.dispatches,
      gpu_bytes: stats.stateBytes + stats.transientBytes,
      error,
    };
    const byOp = new Map<string, number[]>();
    for (let sample = 0; sample < effort.samples; sample++) {
      const times = timesOfNodes(compiled.tape, [await compiled.program.profile!(compiled.inputs(batch, 1))]);
      for (const { op, ms } of timesOfOps(compiled.tape, times)) byOp.set(op, [...(byOp.get(op) ?? []), ms]);
    }
    const peak: Peak = { gflopsPerS, halfGflopsPerS: gflopsPerS, gbPerS: Number.POSITIVE_INFINITY };
    for (const [op, ms] of [...byOp].sort((a, b) => median(b[1]) - median(a[1]))) {
      const rates = ratesOf(costOf(compiled.tape.nodes.filter((node) => node.op.name === op)), median(ms), peak);
      yield {
        ...rowOf(device, `${work}: ${op}`, ms),
        share_of_step: median(ms) / median(times),
        gflops_per_s: rates.gflops_per_s,
      };
    }
  } finally {
    runtime.close();
  }
}
