import type { Gpu } from "../gpu/device.ts";
import type { Tuning } from "../kernels/tuning.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import { createGpuRuntime } from "../runtime/gpu.ts";
import type { Tensors } from "../runtime/runtime.ts";
import { drained, median } from "./measure.ts";
import type { Peak } from "./rates.ts";
import { OURS, type Row } from "./row.ts";
import { shareRows } from "./shares.ts";
import { checkStep, compileStep, resetState, type StepProgram, stepBatch, stepParameters } from "./step-program.ts";
import { modelFlops, type StepSize } from "./step-sizes.ts";

export interface StepEffort {
  readonly seconds: number;
  readonly leastSteps: number;
}

export const STEP_EFFORT = { full: { seconds: 6, leastSteps: 5 }, quick: { seconds: 0.5, leastSteps: 2 } } as const;

/** As many as the trainer has. */
const RUNS_IN_FLIGHT = 3;

/** One whole training step: checked, then timed as the trainer runs it, then each op's share by timestamps. */
export async function benchStep(
  gpu: Gpu,
  size: StepSize,
  peak: Peak,
  effort: StepEffort,
  tuning?: Tuning,
): Promise<Row[]> {
  const work = `step ${size.name}`;
  const common = { system: OURS, device: gpu.driver };
  const runtime = createGpuRuntime(gpu, { tuning });
  const reference = createCpuRuntime();
  try {
    const { layout, arena } = stepParameters(size);
    const begun = performance.now();
    const compiled = await compileStep(runtime, size);
    const compiledMs = performance.now() - begun;
    resetState(runtime, size, arena);
    await drained(gpu);
    let firstMs = 0;
    const run = async (batch: Parameters<StepProgram["inputs"]>[0], step: number): Promise<Tensors> => {
      const start = performance.now();
      const results = await compiled.program.run(compiled.inputs(batch, step));
      if (firstMs === 0) firstMs = compiledMs + performance.now() - start;
      return results;
    };
    const { error, failed } = await checkStep(size, arena, run, reference);
    if (failed !== undefined) return [{ ...common, work, error, failed }];

    const times = await timeSteps(compiled, size, effort);
    const flops = modelFlops(
      size,
      layout.entries.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    );
    const { stats } = compiled.program;
    const tokens = size.shape.batch * size.shape.context;
    const step: Row = {
      ...common,
      work,
      median_ms: times.medianMs,
      best_ms: times.bestMs,
      samples: times.samples,
      tokens_per_s: (1000 * tokens) / times.medianMs,
      model_gflops_per_s: flops / times.medianMs / 1e6,
      model_flops_utilisation:
        flops / times.medianMs / 1e6 / (size.precision === "f16" ? peak.halfGflopsPerS : peak.gflopsPerS),
      awaited_ms: times.awaitedMs,
      host_ms: times.hostMs,
      first_step_ms: firstMs,
      compile_ms: compiledMs,
      dispatches: stats.dispatches,
      pipelines: stats.pipelines,
      submits: 1,
      gpu_bytes: stats.stateBytes + stats.transientBytes,
      error,
    };
    const batch = stepBatch(size, size.shape, size.shape.context, false);
    const shares = await shareRows(compiled, (n) => compiled.inputs(batch, 1 + n), peak, times.medianMs);
    return [step, ...shares.map((row) => ({ ...common, ...row, work: `${work}: ${row.work}` }))];
  } catch (reason) {
    return [{ ...common, work, failed: reason instanceof Error ? reason.message : String(reason) }];
  } finally {
    runtime.close();
  }
}

async function timeSteps({ program, inputs }: StepProgram, size: StepSize, effort: StepEffort) {
  const batch = stepBatch(size, size.shape, size.shape.context, false);
  const host: number[] = [];
  const queued: number[] = [];
  const awaited: number[] = [];
  let step = 0;
  const start = (): Promise<Tensors> => {
    const given = inputs(batch, ++step);
    const begun = performance.now();
    const pending = program.run(given);
    host.push(performance.now() - begun);
    return pending;
  };
  const enough = (list: readonly number[], since: number): boolean =>
    list.length >= effort.leastSteps && performance.now() - since > effort.seconds * 500;

  await start();
  let since = performance.now();
  for (let last = since; !enough(awaited, since); ) {
    await start();
    const now = performance.now();
    awaited.push(now - last);
    last = now;
  }
  const inFlight = Array.from({ length: RUNS_IN_FLIGHT }, start);
  await inFlight.shift();
  since = performance.now();
  for (let last = since; !enough(queued, since); ) {
    inFlight.push(start());
    await inFlight.shift();
    const now = performance.now();
    queued.push(now - last);
    last = now;
  }
  await Promise.all(inFlight);
  return {
    medianMs: median(queued),
    bestMs: Math.min(...queued),
    samples: queued.length,
    awaitedMs: median(awaited),
    hostMs: median(host),
  };
}
