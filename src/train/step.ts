import { backward } from "../autograd/backward.ts";
import { createTape, type Tape } from "../autograd/tape.ts";
import { type AdamWOptions, adamw } from "../kernels/adamw.ts";
import { crossEntropy } from "../kernels/cross-entropy.ts";
import { gradientNorm } from "../kernels/gradient-norm.ts";
import { f32, type Value } from "../kernels/op.ts";
import { scaledSum } from "../kernels/scaled-sum.ts";
import type { Gpt2Config } from "../model/config.ts";
import { type BatchShape, declareInputs, gpt2Logits, gpt2Trunk } from "../model/gpt2.ts";
import { ARENA, declareParameters, type ParameterLayout, type Parameters } from "../model/parameters.ts";

export interface StepOptions extends AdamWOptions {
  /** Gradients are scaled down to this L2 norm; 0 leaves them alone. */
  readonly maxGradNorm: number;
}

interface LossTape {
  readonly tape: Tape;
  readonly parameters: Parameters;
  readonly step: Value;
  readonly logits: Value;
  /** [1]: `lossScale` times the sum over labels. */
  readonly loss: Value;
}

function traceLoss(config: Gpt2Config, layout: ParameterLayout, shape: BatchShape, training: boolean): LossTape {
  const tape = createTape();
  const parameters = declareParameters(tape, layout);
  const inputs = declareInputs(tape, shape, training);
  const labels = tape.input("labels", { dtype: "i32", shape: [shape.batch * shape.context] });
  const logits = gpt2Logits(config, parameters, gpt2Trunk(config, parameters, inputs, shape, training));
  const loss = scaledSum(crossEntropy(logits, labels), inputs.step);
  tape.output("loss", loss);
  return { tape, parameters, step: inputs.step, logits, loss };
}

/** Appends the gradients of the loss, placed in the gradient arena, which is given. */
function traceGradients({ tape, parameters, loss }: LossTape, layout: ParameterLayout): Value {
  const gradients = tape.state(ARENA.gradients, f32([layout.size]));
  const views = layout.entries.map(({ name }) => parameters.views.get(name)!);
  const one = tape.constant(f32([1]), Float32Array.of(1));
  backward(tape, [{ value: loss, gradient: one }], views).forEach((gradient, i) => {
    const { name, offset } = layout.entries[i]!;
    if (!gradient) throw new Error(`the loss does not depend on ${name}`);
    tape.place(gradient, gradients, offset);
  });
  return gradients;
}

/**
 * One whole training step: forward, backward, norm and clip, AdamW. Inputs: tokens, positions, tokenOrder,
 * positionOrder, lengths, labels, step. Outputs: loss [1] and stats [4] of `gradientNorm`.
 */
export function trainingTape(
  config: Gpt2Config,
  layout: ParameterLayout,
  shape: BatchShape,
  options: StepOptions,
): Tape {
  const traced = traceLoss(config, layout, shape, true);
  const { tape, parameters, step, loss } = traced;
  const gradients = traceGradients(traced, layout);
  const stats = gradientNorm(gradients, loss, options.maxGradNorm);
  const m = tape.state(ARENA.m, f32([layout.size]));
  const v = tape.state(ARENA.v, f32([layout.size]));
  const { beta1, beta2, epsilon, weightDecay } = options;
  const state = { parameters: parameters.arena, gradients, m, v };
  adamw(state, step, stats, { beta1, beta2, epsilon, weightDecay, decayed: layout.decayed });
  tape.output("stats", stats);
  return tape;
}

/** Loss, logits and gradients, with nothing updated: what `verify` compares. Outputs: loss, logits. */
export function gradientTape(config: Gpt2Config, layout: ParameterLayout, shape: BatchShape): Tape {
  const traced = traceLoss(config, layout, shape, true);
  traceGradients(traced, layout);
  traced.tape.output("logits", traced.logits);
  return traced.tape;
}

/** The loss alone, without dropout. Outputs: loss. */
export function evaluationTape(config: Gpt2Config, layout: ParameterLayout, shape: BatchShape): Tape {
  return traceLoss(config, layout, shape, false).tape;
}
