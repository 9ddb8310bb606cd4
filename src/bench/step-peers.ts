import { sizeOf } from "../core/shape.ts";
import type { Gpu } from "../gpu/device.ts";
import { NORM } from "../kernels/gradient-norm.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import { createGpuRuntime } from "../runtime/gpu.ts";
import type { Batch } from "../train/batch.ts";
import { median } from "./measure.ts";
import { messageOf, type Peer, type PeerStepGiven, systemName, withRatios } from "./peers.ts";
import { OURS, type Row } from "./row.ts";
import type { StepEffort } from "./step.ts";
import { compileStep, resetState, stepBatch, stepParameters } from "./step-program.ts";
import { LEARNING_RATE, STEP_OPTIONS, type StepSize } from "./step-sizes.ts";

/** Relative difference allowed of losses and norms: another library adds in another order, and AdamW follows signs. */
const BOUND = 1e-3;
const STEPS_CHECKED = 4;

interface Runner {
  readonly system: string;
  readonly times: number[];
  next(): Promise<void>;
  dispose(): void;
}

/** The same training step from the same weights, ours and the peers' in turn, each awaited before the next. */
export async function benchStepPeers(
  gpu: Gpu,
  size: StepSize,
  peers: readonly Peer[],
  effort: StepEffort,
): Promise<Row[]> {
  const common = { work: `step ${size.name} beside peers`, device: gpu.driver };
  const { layout, arena } = stepParameters(size);
  const batch = stepBatch(size, size.shape, size.shape.context, false);
  const losses: StepResult[] = [];
  const failures: Row[] = [];

  async function runner(system: string, start: () => Promise<StepRunner>): Promise<Runner> {
    const step = await start();
    const times: number[] = [];
    let count = 0;
    const once = async () => {
      const got = await step.run(++count);
      if (count <= STEPS_CHECKED) checkAgainst(losses, count, got);
    };
    while (count < STEPS_CHECKED) await once();
    const next = async () => {
      const from = performance.now();
      await once();
      times.push(performance.now() - from);
    };
    return { system, times, next, dispose: step.dispose };
  }

  const runners = [await runner(OURS, () => ourStep(gpu, size, arena, batch))];
  for (const peer of peers) {
    const system = systemName(peer);
    try {
      if (peer.failed !== undefined) throw new Error(peer.failed);
      const { step } = peer;
      if (step) runners.push(await runner(system, async () => step(peerStepGiven(size, layout, arena, batch))));
    } catch (reason) {
      failures.push({ ...common, system, failed: messageOf(reason) });
    }
  }
  const begun = performance.now();
  const enough = () => performance.now() - begun > effort.seconds * 1000 * runners.length;
  for (let i = 0; i < effort.leastSteps || !enough(); i++) for (const { next } of runners) await next();
  const rows = runners.map(({ system, times }): Row => {
    const ms = median(times);
    const tokens = size.shape.batch * size.shape.context;
    const timing = { median_ms: ms, best_ms: Math.min(...times), samples: times.length };
    return { ...common, system, ...timing, tokens_per_s: (1000 * tokens) / ms };
  });
  for (const { dispose } of runners) dispose();
  return withRatios([...rows, ...failures]);
}

/** What a step gave that another library's must give too. */
export interface StepResult {
  readonly loss: number;
  readonly norm: number;
}

export interface StepRunner {
  run(step: number): Promise<StepResult>;
  dispose(): void;
}

/** The same weights, tokens and settings, as bench/peers/ wants them. */
export function peerStepGiven(
  size: StepSize,
  layout: ParameterLayout,
  arena: Float32Array,
  batch: Batch,
): PeerStepGiven {
  const parameters = Object.fromEntries(
    layout.entries.map(({ name, shape, offset }) => [
      name,
      { shape, data: arena.slice(offset, offset + sizeOf(shape)) },
    ]),
  );
  const { tokens, labels } = batch.inputs;
  return { ...size, parameters, tokens, labels, options: STEP_OPTIONS, scalars };
}

export async function ourStep(gpu: Gpu, size: StepSize, arena: Float32Array, batch: Batch): Promise<StepRunner> {
  const runtime = createGpuRuntime(gpu);
  const { program, inputs } = await compileStep(runtime, size);
  resetState(runtime, size, arena);
  return {
    async run(step) {
      const { loss, stats } = await program.run(inputs(batch, step));
      return { loss: loss![0]!, norm: stats![NORM]! };
    },
    dispose: () => runtime.close(),
  };
}

/** What changes from step to step, and AdamW's bias corrections. */
function scalars(step: number) {
  const { beta1, beta2 } = STEP_OPTIONS;
  return { learningRate: LEARNING_RATE, corrections: [1 / (1 - beta1 ** step), 1 / (1 - beta2 ** step)] };
}

/** The first to come is ours, which `benchStep` compares with the reference. */
function checkAgainst(known: StepResult[], step: number, got: StepResult): void {
  const wanted = known[step - 1];
  if (wanted) expectSame(step, got, wanted);
  else known.push(got);
}

/** Throws where a step's result is not ours. */
export function expectSame(step: number, got: StepResult, ours: StepResult): void {
  for (const name of ["loss", "norm"] as const) {
    const error = Math.abs(got[name] - ours[name]) / Math.abs(ours[name]);
    if (!(error <= BOUND)) throw new Error(`wrong result: step ${step}'s ${name} is ${got[name]}, ours ${ours[name]}`);
  }
}
