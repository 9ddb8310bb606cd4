import { relativeL2 } from "../autograd/gradcheck.ts";
import type { Tape } from "../autograd/tape.ts";
import type { FloatDType, NumericArray } from "../core/dtype.ts";
import { NORM } from "../kernels/gradient-norm.ts";
import { packStep } from "../kernels/step.ts";
import { ARENA, readArena, writeArena } from "../model/arena.ts";
import { layoutParameters, type ParameterLayout, packParameters, unpackParameters } from "../model/parameters.ts";
import type { Runtime, Tensors } from "../runtime/runtime.ts";
import type { Batch } from "../train/batch.ts";
import { stepForm } from "../train/form.ts";
import { gradientTape, LOSS_SCALER, trainingTape } from "../train/step.ts";
import { resetOptimizer } from "../train/trainer.ts";
import type { Check, Expected, Fixture } from "./fixture.ts";

/**
 * Bounds for float32. Float32 PyTorch itself is at 4e-7 (logits), 1.3e-6 (gradients) and 1.1e-6 (weights) on such
 * fixtures. The key third of c_attn's bias has a gradient of zero in exact arithmetic; AdamW turns its rounding noise
 * into whole steps, so the weights there agree with nobody's: PyTorch in float32 is 3e-4 away.
 */
export const BOUNDS = { logits: 2e-6, loss: 1e-5, gradient: 1e-5, step: 1e-5, weight: 1e-5, keyBias: 5e-3 } as const;

type Bounds = Readonly<Record<keyof typeof BOUNDS, number>>;

/**
 * Bounds for mixed precision, whose numbers have 11 bits between ops: some units of 2^-11 = 5e-4, more where sums cancel, as
 * gradients of single tensors do; and AdamW's first steps follow signs, which rounding decides for the smallest gradients.
 */
export const HALF_BOUNDS: Bounds = {
  ...{ logits: 2e-3, loss: 1e-4, gradient: 5e-3, step: 1e-3, weight: 8e-3, keyBias: 8e-2 },
};

/** Runs the fixture on `runtime`, whose states it overwrites, and compares everything it expects. */
export async function verify(runtime: Runtime, fixture: Fixture, precision: FloatDType = "f32"): Promise<Check[]> {
  const layout = layoutParameters(fixture.config);
  const bounds = precision === "f16" ? HALF_BOUNDS : BOUNDS;
  return [
    ...(await verifyGradients(runtime, fixture, layout, precision, bounds)),
    ...(await verifySteps(runtime, fixture, layout, precision, bounds)),
  ];
}

/** The loss scale of a check: models of fixtures have larger gradients than such as are trained. */
const GRADIENT_SCALE = 1024;

async function withProgram<T>(
  runtime: Runtime,
  tape: Tape,
  use: (run: (inputs: Tensors) => Promise<Tensors>) => Promise<T>,
): Promise<T> {
  const program = await runtime.compile(tape);
  try {
    return await use((inputs) => program.run(inputs));
  } finally {
    program.dispose();
  }
}

async function verifyGradients(
  runtime: Runtime,
  fixture: Fixture,
  layout: ParameterLayout,
  precision: FloatDType,
  bounds: Bounds,
): Promise<Check[]> {
  const { config, expected } = fixture;
  const batch = fixture.batches[0]!;
  const form = stepForm(runtime);
  return withProgram(runtime, gradientTape(config, layout, batch.shape, true, precision, form), async (run) => {
    writeArena(runtime, layout, ARENA.parameters, packParameters(layout, fixture.parameters));
    if (precision === "f16") runtime.writeState(LOSS_SCALER, [GRADIENT_SCALE, 0]);
    const results = await run(inputsOf(fixture, 0));
    const scaled = (await readArena(runtime, layout, ARENA.gradients)) as NumericArray & Float32Array;
    const gradients = unpackParameters(layout, precision === "f16" ? scaled.map((g) => g / GRADIENT_SCALE) : scaled);
    const real = (logits: ArrayLike<number>): number[] => realPlaces(batch, logits, config.vocabSize);
    return [
      l2("logits", real(results.logits!), real(expected.logits), bounds.logits),
      relative("loss", results.loss![0]!, expected.loss, bounds.loss),
      ...[...expected.gradients].map(([name, wanted]) =>
        l2(`grad ${name}`, gradients.get(name)!, wanted, bounds.gradient),
      ),
    ];
  });
}

async function verifySteps(
  runtime: Runtime,
  fixture: Fixture,
  layout: ParameterLayout,
  precision: FloatDType,
  bounds: Bounds,
): Promise<Check[]> {
  const { config, expected, optimiser } = fixture;
  const shape = fixture.batches[0]!.shape;
  const options = { ...optimiser, precision, ...stepForm(runtime) };
  return withProgram(runtime, trainingTape(config, layout, shape, options), async (run) => {
    writeArena(runtime, layout, ARENA.parameters, packParameters(layout, fixture.parameters));
    resetOptimizer(runtime, layout, precision);
    if (precision === "f16") runtime.writeState(LOSS_SCALER, [GRADIENT_SCALE, 0]);
    const checks: Check[] = [];
    for (let step = 0; step < fixture.batches.length; step++) {
      const results = await run(inputsOf(fixture, step));
      checks.push(relative(`step ${step} loss`, results.loss![0]!, expected.stepLosses[step]!, bounds.step));
      checks.push(relative(`step ${step} grad_norm`, results.stats![NORM]!, expected.stepNorms[step]!, bounds.step));
    }
    return [...checks, ...compareWeights(await readArena(runtime, layout, ARENA.parameters), layout, expected, bounds)];
  });
}

function compareWeights(arena: NumericArray, layout: ParameterLayout, expected: Expected, bounds: Bounds): Check[] {
  const weights = unpackParameters(layout, arena as NumericArray & Float32Array);
  return [...expected.final].flatMap(([name, wanted]) => {
    const got = weights.get(name)!;
    if (!name.endsWith("c_attn.bias")) return [l2(`final ${name}`, got, wanted, bounds.weight)];
    const c = wanted.length / 3;
    const part = (data: ArrayLike<number>, from: number, to: number): number[] => Array.from(data).slice(from, to);
    const without = (data: ArrayLike<number>): number[] => [...part(data, 0, c), ...part(data, 2 * c, 3 * c)];
    return [
      l2(`final ${name} (query, value)`, without(got), without(wanted), bounds.weight),
      l2(`final ${name} (key)`, part(got, c, 2 * c), part(wanted, c, 2 * c), bounds.keyBias),
    ];
  });
}

function inputsOf({ batches, optimiser, learningRates }: Fixture, step: number): Tensors {
  const batch = batches[step]!;
  const scalars = packStep({
    seed: 0,
    step: step + 1,
    learningRate: learningRates[step]!,
    lossScale: 1 / batch.labelCount,
    betas: [optimiser.beta1, optimiser.beta2],
  });
  return { ...batch.inputs, step: scalars };
}

/** The rows of real tokens, padding left out. */
function realPlaces({ shape, inputs }: Batch, rows: ArrayLike<number>, width: number): number[] {
  const kept: number[] = [];
  inputs.lengths!.forEach((length: number, record: number) => {
    const from = record * shape.context * width;
    for (let i = from; i < from + length * width; i++) kept.push(rows[i]!);
  });
  return kept;
}

function l2(name: string, got: ArrayLike<number>, wanted: ArrayLike<number>, bound: number): Check {
  return { name, error: relativeL2(got, wanted), bound, measure: "relative L2" };
}

function relative(name: string, got: number, wanted: number, bound: number): Check {
  const error = Math.abs(got - wanted) / Math.abs(wanted);
  return { name, error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error, bound, measure: "relative" };
}
