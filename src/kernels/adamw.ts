import { sizeOf } from "../core/shape.ts";
import { CLIP_SCALE, HEALTHY } from "./gradient-norm.ts";
import { type CaseInput, defineOp, expectType, f32, type Value } from "./op.ts";
import { packStep, STEP, unpackStep } from "./step.ts";

export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled: p -= learningRate * weightDecay * p. */
  readonly weightDecay: number;
}

export interface AdamWAttrs extends AdamWOptions {
  /** So many of the first elements decay. */
  readonly decayed: number;
  /** What the step's learning rate is multiplied by. */
  readonly rateFactor: number;
}

const DEFAULTS: AdamWAttrs = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
  decayed: 0,
  rateFactor: 1,
};

/**
 * AdamW (Loshchilov and Hutter 2019) as torch.optim.AdamW computes it, over whole arenas of N elements:
 * g' = scale g; m = b1 m + (1-b1) g'; v = b2 v + (1-b2) g'^2; p = p (1 - lr wd) - lr mhat / (sqrt(vhat) + eps).
 * The first `decayed` elements decay, the rest (biases, gains) do not. Learning rate and bias corrections come with
 * `step`, the clip scale with `stats` of gradientNorm; where that says unhealthy, nothing at all is written.
 */
export const adamwOp = defineOp({
  name: "adamw",
  inputs: ["parameters", "gradients", "m", "v", "step", "stats"],
  outputs: ["newParameters", "newM", "newV"],
  updates: { newParameters: "parameters", newM: "m", newV: "v" },
  attrs: DEFAULTS,
  shapes: ({ parameters, gradients, m, v, step, stats }) => {
    const { shape } = parameters;
    expectType("adamw", "gradients", gradients, "f32", shape);
    expectType("adamw", "m", m, "f32", shape);
    expectType("adamw", "v", v, "f32", shape);
    expectType("adamw", "step", step, STEP.dtype, STEP.shape);
    expectType("adamw", "stats", stats, "f32", [4]);
    return { newParameters: f32(shape), newM: f32(shape), newV: f32(shape) };
  },
  cpu: ({ gradients, step, stats }, { newParameters: p, newM: m, newV: v }, attrs) => {
    const { learningRate: scheduled, corrections } = unpackStep(step.data);
    const learningRate = scheduled * attrs.rateFactor;
    if (stats.data[HEALTHY] !== 1) return;
    const scale = stats.data[CLIP_SCALE]!;
    for (let i = 0; i < p.data.length; i++) {
      const g = gradients.data[i]! * scale;
      m.data[i] = attrs.beta1 * m.data[i]! + (1 - attrs.beta1) * g;
      v.data[i] = attrs.beta2 * v.data[i]! + (1 - attrs.beta2) * g * g;
      const decay = i < attrs.decayed ? 1 - learningRate * attrs.weightDecay : 1;
      const direction = (m.data[i]! * corrections[0]) / (Math.sqrt(v.data[i]! * corrections[1]) + attrs.epsilon);
      p.data[i] = p.data[i]! * decay - learningRate * direction;
    }
  },
  cost: ({ parameters }) => ({ flops: 14 * sizeOf(parameters.shape), bytes: 28 * sizeOf(parameters.shape) }),
  cases: [
    { inputs: exampleOf(12, [3, 0.5, 1, 0]), attrs: { decayed: 6, weightDecay: 0.1, beta2: 0.95 } },
    { inputs: exampleOf(9, [3, 0.5, 1, 0]), attrs: { decayed: 4, weightDecay: 0.1, beta2: 0.95 } },
    { inputs: exampleOf(7, [3, 0.5, 1, 0]), attrs: { decayed: 3, weightDecay: 0.1, rateFactor: 0.1 } },
    // An unhealthy step: everything stays as it was.
    { inputs: exampleOf(5, [3, 0.5, 0, 0]) },
  ],
});

function exampleOf(n: number, stats: readonly number[]): Record<string, CaseInput> {
  const scalars = packStep({ seed: 0, step: 3, learningRate: 0.01, lossScale: 1, betas: [0.9, 0.95] });
  return {
    parameters: f32([n]),
    gradients: f32([n]),
    m: f32([n]),
    v: { ...f32([n]), values: Array.from({ length: n }, (_, i) => i / 10) },
    step: { ...STEP, values: [...scalars] },
    stats: { ...f32([4]), values: stats },
  };
}

export interface AdamWState {
  readonly parameters: Value;
  readonly gradients: Value;
  readonly m: Value;
  readonly v: Value;
}

/** Updates `parameters`, `m` and `v` in place; the first `decayed` elements decay. */
export function adamw(
  state: AdamWState,
  step: Value,
  stats: Value,
  options: AdamWOptions & Partial<AdamWAttrs> & Pick<AdamWAttrs, "decayed">,
): void {
  adamwOp.apply({ ...state, step, stats }, options);
}
