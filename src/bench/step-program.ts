import type { Tape } from "../autograd/tape.ts";
import { sizeOf } from "../core/shape.ts";
import { NORM } from "../kernels/gradient-norm.ts";
import { packStep } from "../kernels/step.ts";
import { ARENA, writeArena } from "../model/arena.ts";
import type { BatchShape } from "../model/gpt2.ts";
import { layoutParameters, type ParameterLayout } from "../model/parameters.ts";
import type { Program, Runtime, Tensors } from "../runtime/runtime.ts";
import { type Batch, collate } from "../train/batch.ts";
import { stepForm } from "../train/form.ts";
import { evaluationTape, trainingTape } from "../train/step.ts";
import { resetOptimizer } from "../train/trainer.ts";
import { spread } from "./data.ts";
import { LEARNING_RATE, STEP_OPTIONS, type StepSize } from "./step-sizes.ts";

/** A compiled training step and what it runs on. */
export interface StepProgram {
  readonly tape: Tape;
  readonly program: Program;
  inputs(batch: Batch, step: number): Tensors;
}

/** Deviation of the weights that a step is measured on: GPT-2's. */
const DEVIATION = 0.02;

export function stepTape({ config, shape, precision }: StepSize, runtime: Pick<Runtime, "traits" | "fused">): Tape {
  const options = { ...STEP_OPTIONS, precision, ...stepForm(runtime) };
  return trainingTape(config, layoutParameters(config), shape, options);
}

export async function compileStep(runtime: Runtime, size: StepSize, shape = size.shape): Promise<StepProgram> {
  const tape = stepTape({ ...size, shape }, runtime);
  return { tape, program: await runtime.compile(tape), inputs: stepInputs };
}

function stepInputs(batch: Batch, step: number): Tensors {
  const { beta1, beta2 } = STEP_OPTIONS;
  const scalars = { seed: 1, step, learningRate: LEARNING_RATE, lossScale: 1 / batch.labelCount };
  return { ...batch.inputs, step: packStep({ ...scalars, betas: [beta1, beta2] }) };
}

/** Weights that are quicker to make than a model's own initialisation: as large, but of a hash of their place. */
export function stepParameters({ config }: StepSize): { layout: ParameterLayout; arena: Float32Array } {
  const layout = layoutParameters(config);
  const arena = spread([layout.size], 1, DEVIATION).fill() as Float32Array;
  for (const { name, shape, offset } of layout.entries) {
    if (shape.length === 1) arena.fill(name.endsWith("weight") ? 1 : 0, offset, offset + sizeOf(shape));
  }
  return { layout, arena };
}

export function resetState(runtime: Runtime, { config, precision }: StepSize, arena: Float32Array): void {
  const layout = layoutParameters(config);
  writeArena(runtime, layout, ARENA.parameters, arena);
  resetOptimizer(runtime, layout, precision);
}

/** `batch` records of `tokens` ids each, all the same or each its own. */
export function stepBatch({ config }: StepSize, shape: BatchShape, tokens: number, same: boolean): Batch {
  const records = Array.from({ length: shape.batch }, (_, record) => ({
    ids: Array.from(
      { length: tokens + 1 },
      (_, i) => (i * i * 31 + i * 7 + (same ? 0 : record * 17)) % config.vocabSize,
    ),
  }));
  return collate(records, shape.context, config.vocabSize);
}

export interface StepCheck {
  readonly error: number;
  readonly failed?: string;
}

const STEPS_CHECKED = 3;
/** Relative differences of losses and norms from the reference, which is f32; the first steps of AdamW follow signs. */
const BOUNDS = { f32: { loss: 1e-4, norm: 1e-4 }, f16: { loss: 2e-3, norm: 2e-2 } } as const;
/** The reference computes 3 whole steps of models up to this many parameters, of larger ones a loss. */
const SMALL = 5_000_000;
const FEW_TOKENS = 8;

/** What the reference gives for one record. A batch of copies of it has the same mean loss and the same gradients. */
export async function checkStep(
  size: StepSize,
  arena: Float32Array,
  run: (batch: Batch, step: number) => Promise<Tensors>,
  reference: Runtime,
): Promise<StepCheck> {
  const small = arena.length <= SMALL;
  const tokens = small ? size.shape.context : FEW_TOKENS;
  const one = { batch: 1, context: tokens };
  const layout = layoutParameters(size.config);
  const tape = small ? trainingTape(size.config, layout, one, STEP_OPTIONS) : evaluationTape(size.config, layout, one);
  const program = await reference.compile(tape);
  writeArena(reference, layout, ARENA.parameters, arena);
  const record = stepBatch(size, one, tokens, true);
  const copies = stepBatch(size, size.shape, tokens, true);
  let error = 0;
  for (let step = 1; step <= (small ? STEPS_CHECKED : 1); step++) {
    const known = namesOf(tape);
    const given = Object.entries(stepInputs(record, step)).filter(([name]) => known.has(name));
    const wanted = await program.run(Object.fromEntries(given));
    const got = await run(copies, step);
    const loss = relative(got.loss![0]!, wanted.loss![0]!);
    const norm = wanted.stats ? relative(got.stats![NORM]!, wanted.stats[NORM]!) : 0;
    error = Math.max(error, loss, norm);
    const bounds = BOUNDS[size.precision ?? "f32"];
    if (!(loss <= bounds.loss && norm <= bounds.norm)) {
      return { error, failed: `wrong result: step ${step}'s loss is off by ${loss}, its gradient norm by ${norm}` };
    }
  }
  program.dispose();
  return { error };
}

function namesOf(tape: Tape): Set<string> {
  return new Set(tape.values.map((value) => tape.origin(value)).flatMap((o) => (o.kind === "input" ? [o.name] : [])));
}

function relative(got: number, wanted: number): number {
  return Math.abs(got - wanted) / Math.abs(wanted);
}
