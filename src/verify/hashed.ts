import { userError } from "../core/errors.ts";
import { largest } from "../core/extremes.ts";
import { sizeOf } from "../core/shape.ts";
import { IGNORED_LABEL } from "../kernels/cross-entropy.ts";
import { NORM } from "../kernels/gradient-norm.ts";
import { packStep } from "../kernels/step.ts";
import { ARENA, readArena, writeArena } from "../model/arena.ts";
import { type Gpt2Config, gpt2Config } from "../model/config.ts";
import { layoutParameters, type ParameterLayout } from "../model/parameters.ts";
import type { ProgramStats, Runtime, Tensors } from "../runtime/runtime.ts";
import { type Batch, makeBatch } from "../train/batch.ts";
import { stepForm } from "../train/form.ts";
import { gradientTape, trainingTape } from "../train/step.ts";
import type { Check } from "./fixture.ts";

/** A real GPT-2's results without its weights: each parameter is a hash of its index, so that both sides can build it. */
export interface HashedFixture {
  readonly order: readonly string[];
  readonly shapes: readonly (readonly number[])[];
  readonly batch: number;
  readonly context: number;
  readonly tokens: readonly (readonly number[])[];
  readonly loss: number;
  /** The first logits of the last place of the first record. */
  readonly logits_last_first8: readonly number[];
  readonly logits_norm: number;
  readonly grads: Readonly<Record<string, { readonly norm: number; readonly first: readonly number[] }>>;
  /** The first values of each parameter, to check the hash by. */
  readonly sample: Readonly<Record<string, readonly number[]>>;
  readonly steps: {
    readonly loss: readonly number[];
    readonly grad_norm: readonly number[];
    readonly tokens: readonly (readonly (readonly number[])[])[];
  };
}

const OPTIMISER = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };
const LEARNING_RATE = 6e-4;
const BOUNDS = { logit: 5e-4, relative: 1e-5, gradient: 1e-4 };

export function parseHashedFixture(text: string, where: string): HashedFixture {
  let parsed: HashedFixture;
  try {
    parsed = JSON.parse(text);
  } catch {
    return userError(`${where}: not valid JSON`);
  }
  for (const field of ["order", "shapes", "tokens", "grads", "sample", "steps"] as const) {
    if (parsed?.[field] === undefined) userError(`${where}: has no "${field}"; wanted a fixture of hashed parameters`);
  }
  return parsed;
}

/** Compares `runtime` with the fixture; `steps` also runs its optimiser steps, which take three more arenas of memory. */
export async function verifyHashed(
  runtime: Runtime,
  fixture: HashedFixture,
  options: { readonly steps: boolean; readonly onPlan?: (what: string, stats: ProgramStats) => void },
): Promise<Check[]> {
  const config = configOf(fixture);
  const layout = layoutParameters(config);
  const shape = { batch: fixture.batch, context: fixture.context };
  const program = await runtime.compile(gradientTape(config, layout, shape, true, "f32", stepForm(runtime)));
  options.onPlan?.("gradients", program.stats);
  const checks = writeParameters(runtime, layout, fixture);
  const batch = batchOf(fixture.tokens, config);
  const { loss, logits } = await program.run(inputsOf(batch, 0));
  checks.push(relative("loss", loss![0]!, fixture.loss, BOUNDS.relative), ...(await compareLogits(logits!, fixture)));
  for (const { name, shape, offset } of layout.entries) {
    const wanted = fixture.grads[name];
    if (!wanted) userError(`the fixture has no gradient of ${name}`);
    const gradient = await readArena(runtime, layout, ARENA.gradients, offset, sizeOf(shape));
    checks.push(relative(`grad ${name} norm`, normOf(gradient), wanted!.norm, BOUNDS.gradient));
  }
  program.dispose();
  return options.steps ? [...checks, ...(await verifySteps(runtime, fixture, config, layout, options.onPlan))] : checks;
}

async function verifySteps(
  runtime: Runtime,
  fixture: HashedFixture,
  config: Gpt2Config,
  layout: ParameterLayout,
  onPlan?: (what: string, stats: ProgramStats) => void,
): Promise<Check[]> {
  const shape = { batch: fixture.batch, context: fixture.context };
  const program = await runtime.compile(trainingTape(config, layout, shape, { ...OPTIMISER, ...stepForm(runtime) }));
  onPlan?.("training", program.stats);
  const checks: Check[] = [];
  for (const [step, tokens] of fixture.steps.tokens.entries()) {
    const { loss, stats } = await program.run(inputsOf(batchOf(tokens, config), step));
    checks.push(relative(`step ${step} loss`, loss![0]!, fixture.steps.loss[step]!, BOUNDS.relative));
    checks.push(relative(`step ${step} grad_norm`, stats![NORM]!, fixture.steps.grad_norm[step]!, BOUNDS.gradient));
  }
  program.dispose();
  return checks;
}

function configOf({ order, shapes }: HashedFixture): Gpt2Config {
  const shapeOf = (name: string): readonly number[] => shapes[order.indexOf(name)] ?? userError(`no tensor ${name}`);
  const [vocabSize = 0, width = 0] = shapeOf("wte.weight");
  const layers = order.filter((name) => name.endsWith("ln_1.weight")).length;
  return gpt2Config({
    vocabSize,
    width,
    layers,
    contextLength: shapeOf("wpe.weight")[0]!,
    // Every published GPT-2 has heads of 64.
    heads: width / 64,
    dropout: { embedding: 0, attention: 0, residual: 0 },
  });
}

/** Chris Wellons' lowbias32, an integer hash. */
function lowbias32(value: number): number {
  let x = value ^ (value >>> 16);
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Writes every parameter into the arena, and checks the first values of each. */
function writeParameters(runtime: Runtime, layout: ParameterLayout, fixture: HashedFixture): Check[] {
  let error = 0;
  for (const { name, shape, offset } of layout.entries) {
    const tensor = fixture.order.indexOf(name);
    if (tensor < 0) userError(`the fixture has no parameter ${name}`);
    const gain = name.endsWith("weight") && shape.length === 1;
    const scale = (name.endsWith("c_proj.weight") ? 0.02 / Math.sqrt(24) : 0.02) * Math.sqrt(12);
    const data = new Float32Array(sizeOf(shape));
    const start = Math.imul(tensor, 0x9e3779b9);
    for (let i = 0; i < data.length; i++) {
      data[i] = (gain ? 1 : 0) + scale * (lowbias32((i + start) | 0) / 2 ** 32 - 0.5);
    }
    fixture.sample[name]?.forEach((value, i) => {
      error = Math.max(error, Math.abs(data[i]! - value));
    });
    writeArena(runtime, layout, ARENA.parameters, data, offset);
  }
  return [{ name: "parameters as hashed", error, bound: 1e-7, measure: "absolute" }];
}

function batchOf(tokens: readonly (readonly number[])[], config: Gpt2Config): Batch {
  const [batch, context] = [tokens.length, tokens[0]!.length];
  const ids = Uint32Array.from(tokens.flat());
  const labels = Int32Array.from(ids, (_, i) => (i % context === context - 1 ? IGNORED_LABEL : ids[i + 1]!));
  return makeBatch({ batch, context }, ids, labels, new Uint32Array(batch).fill(context), config.vocabSize);
}

function inputsOf(batch: Batch, step: number): Tensors {
  const betas = [OPTIMISER.beta1, OPTIMISER.beta2] as const;
  const lossScale = 1 / batch.labelCount;
  return {
    ...batch.inputs,
    step: packStep({ seed: 0, step: step + 1, learningRate: LEARNING_RATE, lossScale, betas }),
  };
}

async function compareLogits(logits: Tensors[string], fixture: HashedFixture): Promise<Check[]> {
  const vocabulary = logits.length / (fixture.batch * fixture.context);
  const last = logits.subarray((fixture.context - 1) * vocabulary);
  const errors = fixture.logits_last_first8.map((wanted, i) => Math.abs(last[i]! - wanted));
  return [
    { name: "logits, first 8 of a last place", error: largest(errors), bound: BOUNDS.logit, measure: "absolute" },
    relative("logits, norm", normOf(logits), fixture.logits_norm, BOUNDS.relative),
  ];
}

function normOf(data: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! ** 2;
  return Math.sqrt(sum);
}

function relative(name: string, got: number, wanted: number, bound: number): Check {
  const error = Math.abs(got - wanted) / Math.abs(wanted);
  return { name, error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error, bound, measure: "relative" };
}
