/** Training steps in which some value becomes NaN or infinite while they run. */
import type { Node, Tape } from "../../src/autograd/tape.ts";
import { sizeOf } from "../../src/core/shape.ts";
import { gpuKernelOf } from "../../src/kernels/gpu/index.ts";
import { scaledFillGpu } from "../../src/kernels/gpu/scaled-sum.ts";
import { HEALTHY } from "../../src/kernels/gradient-norm.ts";
import { type AnyOp, f32, type Value } from "../../src/kernels/op.ts";
import { packStep, STEP } from "../../src/kernels/step.ts";
import { ARENA } from "../../src/model/arena.ts";
import { initialParameters } from "../../src/model/parameters.ts";
import type { Program, Runtime } from "../../src/runtime/runtime.ts";
import { collateRows } from "../../src/train/batch.ts";
import { microBatchTape, trainingTape, updateTape } from "../../src/train/step.ts";
import { differing, SAVED_STATES, statesOf, tinyConfig, tinyLayout, tinyOptions, tinyRows } from "./tiny-run.ts";

/** A value of a step that goes bad: an output of one node, in up to 64 elements that end at `last`. */
export interface Poison {
  readonly tape: number;
  readonly node: number;
  readonly output: string;
  readonly last: number;
  readonly value: number;
}

export interface PoisonedStep {
  /** The op whose result went bad. */
  readonly op: string;
  /** Left out: weights and moments have the bits that they had before. Absorbed: no gradient met it, or none that it changed to a number that is not finite. */
  readonly result: "left out" | "absorbed";
  /** What is wrong; undefined if nothing is. */
  readonly wrong: string | undefined;
}

const SHAPE = { batch: tinyOptions.batchSize, context: 8 };
const BEFORE = 3;

/** The tapes of one step: whole, or two batches and an update. */
function tapesOf(accumulated: boolean): Tape[] {
  if (!accumulated) return [trainingTape(tinyConfig, tinyLayout, SHAPE, tinyOptions)];
  const batch = () => microBatchTape(tinyConfig, tinyLayout, SHAPE, tinyOptions);
  return [batch(), batch(), updateTape(tinyLayout, tinyOptions)];
}

/**
 * What may go bad: results of floating-point ops, up to the gradients. What comes after them is the guard itself and the
 * update that it guards.
 */
function poisonable(tape: Tape): { node: number; output: string; size: number }[] {
  return tape.nodes.flatMap(({ op, outputs }, node) =>
    op.name === "gradientNorm" || op.name === "adamw"
      ? []
      : Object.entries(outputs)
          .filter(([, { dtype }]) => dtype === "f32")
          .map(([output, { shape }]) => ({ node, output, size: sizeOf(shape) })),
  );
}

/** A function of `random`, which gives numbers in [0, 1). */
export function drawPoison(accumulated: boolean, random: () => number): Poison {
  const tapes = tapesOf(accumulated);
  const below = (n: number): number => Math.floor(random() * n);
  const tape = below(Math.min(2, tapes.length));
  const places = poisonable(tapes[tape]!);
  const { node, output, size } = places[below(places.length)]!;
  const value = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY][below(3)]!;
  return { tape, node, output, last: below(size), value };
}

/** The tape with a node that, when it is done, overwrites a part of a result: all of it on the GPU's side by an op that exists. */
function poisoned(tape: Tape, { node, output, last, value }: Poison): Tape {
  const old = tape.nodes[node]!;
  const start = last - (last % 64);
  const length = last - start + 1;
  const inputs: Record<string, Value> = {
    ...old.inputs,
    poison: tape.constant(f32([1]), Float32Array.of(value)),
    "poison step": tape.constant(STEP, packStep({ seed: 0, step: 1, learningRate: 0, lossScale: 1 })),
  };
  // On WebAssembly its loop runs, and all others have their kernels.
  const kernel = gpuKernelOf(old.op);
  const op: AnyOp = {
    ...old.op,
    wasm: () => undefined,
    cpu(given, made, attrs) {
      old.op.cpu(given, made, attrs);
      made[output]!.data.fill(value, start, last + 1);
    },
    gpu(given, made, attrs, traits) {
      const types = { dy: f32([1]), step: STEP };
      const [fill] = scaledFillGpu.gpu(types, { dx: f32([length]) }, { shape: [length] }, traits);
      const [dy, step, dx] = fill!.bind;
      const span = { offset: start, length };
      const bind = [
        { ...dy!, tensor: "poison" },
        { ...step!, tensor: "poison step" },
        { ...dx!, tensor: output, span },
      ];
      return [...kernel.gpu(given, made, attrs, traits), { ...fill!, bind }];
    },
    scratch: (given, attrs, traits) => kernel.scratch?.(given, attrs, traits) ?? {},
  };
  (tape.nodes as Node[])[node] = { ...old, op, inputs };
  return tape;
}

async function runStep(runtime: Runtime, programs: readonly Program[], at: number): Promise<boolean> {
  const accumulation = programs.length === 1 ? 1 : 2;
  const { rows } = tinyRows({ ...tinyOptions, accumulation }).at(at);
  const { betas, ...scalars } = {
    seed: tinyOptions.seed,
    step: at + 1,
    learningRate: 1e-2,
    lossScale: 0.05,
    betas: [tinyOptions.beta1, tinyOptions.beta2] as const,
  };
  let stats: ArrayLike<number> | undefined;
  for (const [i, program] of programs.entries()) {
    const step = packStep({ ...scalars, betas: [...betas], microBatch: i === 2 ? 0 : i });
    const chosen = rows.slice(i * SHAPE.batch, (i + 1) * SHAPE.batch);
    while (chosen.length < SHAPE.batch) chosen.push([]);
    const inputs = i === 2 ? {} : collateRows(chosen, SHAPE.context, tinyConfig.vocabSize).inputs;
    stats = (await program.run({ ...inputs, step })).stats;
  }
  // What is queued on a device is done when a state has been read.
  await runtime.readState(ARENA.m, 0, 1);
  return stats![HEALTHY] === 1;
}

export interface PoisonTest {
  /** Runs the fourth step with a poison in it, then again without, and says what came of it. */
  inject(poison: Poison): Promise<PoisonedStep>;
}

/** Compiles the step once; three steps have been done before. */
export async function preparePoisonTest(runtime: Runtime, accumulated: boolean): Promise<PoisonTest> {
  const compile = (tapes: readonly Tape[]): Promise<Program[]> =>
    Promise.all(tapes.map((tape) => runtime.compile(tape)));
  const clean = await compile(tapesOf(accumulated));
  runtime.writeState(ARENA.parameters, initialParameters(tinyConfig, tinyLayout, 1));
  for (const moment of [ARENA.m, ARENA.v]) runtime.writeState(moment, new Float32Array(tinyLayout.trained));
  for (let at = 0; at < BEFORE; at++) await runStep(runtime, clean, at);
  const before = await statesOf(runtime);
  const bring = (): void => {
    for (const [i, name] of SAVED_STATES.entries())
      runtime.writeState(name, new Float32Array(before[i]!.buffer.slice(0) as ArrayBuffer));
  };
  await runStep(runtime, clean, BEFORE);
  const after = await statesOf(runtime);

  return {
    async inject(poison) {
      bring();
      const tapes = tapesOf(accumulated);
      const op = tapes[poison.tape]!.nodes[poison.node]!.op.name;
      const bad = await runtime.compile(poisoned(tapes[poison.tape]!, poison));
      const applied = await runStep(
        runtime,
        clean.map((program, i) => (i === poison.tape ? bad : program)),
        BEFORE,
      );
      bad.dispose();
      const got = await statesOf(runtime);
      if (applied) {
        const finite = got.every((part) => new Float32Array(part.buffer).every(Number.isFinite));
        return { op, result: "absorbed", wrong: finite ? undefined : "weights or moments are not finite" };
      }
      if (differing(got, before) > 0) return { op, result: "left out", wrong: "weights or moments have changed" };
      await runStep(runtime, clean, BEFORE);
      const wrong =
        differing(await statesOf(runtime), after) > 0 ? "the next step is not what it would have been" : undefined;
      return { op, result: "left out", wrong };
    },
  };
}
