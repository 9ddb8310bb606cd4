import { backward } from "../autograd/backward.ts";
import { relativeL2 } from "../autograd/gradcheck.ts";
import { createTape, type Tape } from "../autograd/tape.ts";
import { isFloat, type NumericArray } from "../core/dtype.ts";
import type { Gpu } from "../gpu/device.ts";
import type { AnyOp, TensorType, Value } from "../kernels/op.ts";
import { HALF_ROUNDING, halfRoundings } from "../runtime/compare.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import { createGpuRuntime } from "../runtime/gpu.ts";
import type { Runtime, Tensors } from "../runtime/runtime.ts";
import { ERROR_BOUND } from "./check.ts";
import { fillAll, type Inputs, type Sources, spread } from "./data.ts";
import { type Effort, type Timing, timeQueued } from "./measure.ts";
import { type Cost, costOf } from "./rates.ts";

/** Part of a work that the reference can do in time, and where its results are in those of the whole. */
export interface Sample {
  readonly inputs: Inputs;
  readonly attrs: object;
  /** The elements of result `name` that the sample computes. */
  pick(name: string, data: NumericArray): NumericArray;
}

/** An op at one shape, with or without its gradients. */
export interface OpWork {
  readonly work: string;
  readonly op: AnyOp;
  readonly inputs: Sources;
  readonly attrs?: object;
  /** The op and then its gradients by every f32 input. */
  readonly gradient?: boolean;
  /** What is compared with the reference instead of everything. */
  readonly sample?: (inputs: Inputs) => Sample;
}

/** Copies of the op in one submit, so that the dispatch is timed and not the submit: as many as take some milliseconds. */
const MOST_REPEATS = 16;
const SUBMIT_MS = 20;
/** What a gradient starts from is an input like others, with this before the output's name. */
const SEED = "seed ";

/** How far a device's result is from the reference's: the worst tensor. */
export interface Checked {
  readonly error: number;
  /** What is wrong, if anything is: then there is no point in how fast it was. */
  readonly failed?: string;
}

/** A work that was checked and is ready to be queued again and again. */
export interface PreparedOp extends Checked {
  /** Queues the op `repeats` times, in one submit. */
  run(): void;
  dispose(): void;
}

/** Checks the work's result against the CPU in float64, and compiles it. */
export async function prepareOp(gpu: Gpu, work: OpWork, repeats: number): Promise<PreparedOp> {
  const inputs = fillAll(sourcesOf(work));
  const runtime = createGpuRuntime(gpu);
  try {
    return { ...(await prepareIn(runtime, work, inputs, repeats)), dispose: () => runtime.close() };
  } catch (reason) {
    runtime.close();
    throw reason;
  }
}

/** The same in a runtime that others use too, and whose states hold `inputs` from then on; `known` as in `checkOp`. */
export async function prepareIn(
  runtime: Runtime,
  work: OpWork,
  inputs: Inputs,
  repeats: number,
  known?: Tensors,
): Promise<Checked & { run(): void }> {
  const checked = await checkOp(runtime, work, inputs, known);
  const program = await runtime.compile(traceWork(work, inputs, { repeats, results: false }));
  return { ...checked, run: () => void program.run({}) };
}

/** Checks the work's result and, if it is right, times it. */
export async function measureOp(
  gpu: Gpu,
  work: OpWork,
  effort: Effort,
  expectedMs: number,
): Promise<Checked & { timing?: Timing }> {
  const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.round(SUBMIT_MS / expectedMs)));
  const { error, failed, run, dispose } = await prepareOp(gpu, work, repeats);
  try {
    if (failed !== undefined) return { error, failed };
    run();
    const timing = await timeQueued(gpu, run, effort);
    return { error, timing: { ...timing, medianMs: timing.medianMs / repeats, bestMs: timing.bestMs / repeats } };
  } finally {
    dispose();
  }
}

/** What the CPU gives for the work's sample, in float64. */
export function referenceOf(work: OpWork, inputs: Inputs): Promise<Tensors> {
  const sample = sampleOf(work, inputs);
  return runOnce(createCpuRuntime({ precision: "float64" }), { ...work, attrs: sample.attrs }, sample.inputs);
}

function sampleOf(work: OpWork, inputs: Inputs): Sample {
  const whole = { inputs, attrs: work.attrs ?? {}, pick: (_name: string, data: NumericArray) => data };
  return work.sample?.(inputs) ?? whole;
}

/** The distance of the device's result from the reference's, `known` if it was computed before. Leaves the inputs in the runtime's states. */
export async function checkOp(
  runtime: Runtime,
  work: OpWork,
  inputs = fillAll(sourcesOf(work)),
  known?: Tensors,
): Promise<Checked> {
  const got = await runOnce(runtime, work, inputs);
  // Ops in place have changed their inputs.
  fillStates(runtime, inputs);
  const sample = sampleOf(work, inputs);
  const wanted = known ?? (await referenceOf(work, inputs));
  const roundings = halfRoundings(traceWork(work, inputs, ONCE), work.op.outputs);
  let worst = { error: 0, name: "" };
  for (const [name, data] of Object.entries(wanted)) {
    const error = relativeL2(sample.pick(name, got[name]!), data) - (roundings.get(name) ?? 0) * HALF_ROUNDING;
    if (!(error <= worst.error)) worst = { error, name };
  }
  if (!(worst.error <= ERROR_BOUND)) {
    return { error: worst.error, failed: `wrong result: ${worst.name} is off by ${worst.error.toExponential(1)}` };
  }
  return { error: worst.error };
}

/** What the work costs at least; nothing is filled or compiled for it. */
export function costOfWork(work: OpWork): Cost {
  return costOf(traceWork(work, sourcesOf(work), ONCE).nodes);
}

async function runOnce(runtime: Runtime, work: OpWork, inputs: Inputs): Promise<Tensors> {
  const program = await runtime.compile(traceWork(work, inputs, ONCE));
  fillStates(runtime, inputs);
  const results = await program.run({});
  program.dispose();
  return results;
}

function fillStates(runtime: Runtime, inputs: Inputs): void {
  for (const [name, { data }] of Object.entries(inputs)) runtime.writeState(name, data);
}

/** The op's inputs and, for its gradients, what they start from. */
export function sourcesOf(work: OpWork): Sources {
  if (!work.gradient) return work.inputs;
  const outputs = work.op.shapes(work.inputs, { ...work.op.attrs, ...work.attrs });
  const seeds = differentiated(work.op).map((name, i) => [
    `${SEED}${name}`,
    spread(outputs[name]!.shape, 100 + i, 1, outputs[name]!.dtype === "f16" ? "f16" : "f32"),
  ]);
  return { ...work.inputs, ...Object.fromEntries(seeds) };
}

const ONCE = { repeats: 1, results: true } as const;

/** The op, `repeats` times over, on states that hold its inputs; with or without giving its results back. */
function traceWork(
  work: OpWork,
  types: Readonly<Record<string, TensorType>>,
  { repeats, results: wantsResults }: { repeats: number; results: boolean },
): Tape {
  const { op } = work;
  const tape = createTape();
  const states: Record<string, Value> = {};
  for (const [name, { dtype, shape }] of Object.entries(types)) states[name] = tape.state(name, { dtype, shape });
  const values = Object.fromEntries(Object.entries(states).filter(([name]) => !name.startsWith(SEED)));
  const wanted = Object.entries(values).filter(([, value]) => isFloat(value.dtype));
  for (let i = 0; i < repeats; i++) {
    const made = tape.record(op, values, { ...op.attrs, ...work.attrs });
    const results: [string, Value | undefined][] = Object.entries(made);
    if (work.gradient) {
      const seeds = differentiated(op).map((name) => ({ value: made[name]!, gradient: states[`${SEED}${name}`]! }));
      const gradients = backward(
        tape,
        seeds,
        wanted.map(([, value]) => value),
      );
      for (const [j, [name]] of wanted.entries()) results.push([`d${name}`, gradients[j]]);
    }
    for (const [output, input] of Object.entries(op.updates ?? {})) {
      // An op in place goes on from what it left.
      if (input !== undefined && input in values) values[input] = made[output]!;
    }
    if (!wantsResults) continue;
    for (const [name, value] of results) if (value && !op.auxiliary?.includes(name)) tape.output(name, value);
  }
  return tape;
}

function differentiated(op: AnyOp): string[] {
  return op.outputs.filter((name) => !op.auxiliary?.includes(name));
}
