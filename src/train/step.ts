import { backward, type Seed } from "../autograd/backward.ts";
import { sectionRanges } from "../autograd/recompute.ts";
import { createTape, type Tape } from "../autograd/tape.ts";
import type { FloatDType } from "../core/dtype.ts";
import { userError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { accumulate } from "../kernels/accumulate.ts";
import { type AdamWOptions, adamw } from "../kernels/adamw.ts";
import type { FusedOps } from "../kernels/fused.ts";
import { gradientNorm } from "../kernels/gradient-norm.ts";
import { lossScaler, SCALER } from "../kernels/loss-scaler.ts";
import { f32, type Value } from "../kernels/op.ts";
import { STEP } from "../kernels/step.ts";
import { ARENA, declareArena, stretchesOf } from "../model/arena.ts";
import type { Gpt2Config } from "../model/config.ts";
import { type BatchShape, BLOCK_PREFIX, declareInputs, gpt2Classifier, gpt2Logits, gpt2Trunk } from "../model/gpt2.ts";
import { declareParameters, type ParameterLayout, type Parameters, trainedEntries } from "../model/parameters.ts";
import { classifierLoss, type LogitsForm } from "./classifier.ts";

export interface StepOptions extends AdamWOptions {
  /** Gradients are scaled down to this L2 norm; 0 leaves them alone. */
  readonly maxGradNorm: number;
  /** Keep only each block's input, and compute the rest again in the backward pass: less memory, a third more work. */
  readonly recompute?: boolean;
  /** Label smoothing of the training loss, in [0, 1); evaluation has none. */
  readonly labelSmoothing?: number;
  /**
   * "f16": matrices, activations and their gradients in f16, with a dynamic loss scale; sums, the residual stream, losses,
   * gradients of weights, moments and the weights themselves stay f32. f32 where absent.
   */
  readonly precision?: FloatDType | undefined;
  /** How the classifier's logits lie in memory: `logitsForm` of the adapter's traits. Left out: as on a CPU. */
  readonly logits?: LogitsForm | undefined;
  /** `fused` of the runtime. Left out: ops that do one thing each. */
  readonly fused?: FusedOps | undefined;
}

/** What a forward and backward pass depends on, besides sizes. */
type PassOptions = Pick<StepOptions, "recompute" | "labelSmoothing" | "precision" | "logits" | "fused">;

interface LossTape {
  readonly tape: Tape;
  readonly parameters: Parameters;
  readonly step: Value;
  /** Of mixed precision. */
  readonly scaler: Value | undefined;
  /** [N, C]: the trunk's result. */
  readonly hidden: Value;
  /** `[1]`: `lossScale` times the sum over labels. */
  readonly loss: Value;
  readonly seeds: readonly Seed[];
}

/** The classifier, where it is not the token embedding: all other parameters are on the way to `hidden`. */
const CLASSIFIER = "lm_head.weight";

/** `training`: with dropout and seeds for the backward pass. */
function traceLoss(
  config: Gpt2Config,
  layout: ParameterLayout,
  shape: BatchShape,
  training: boolean,
  { labelSmoothing: smoothing, precision = "f32", logits, fused }: PassOptions = {},
): LossTape {
  if (training && layout.trained === 0)
    userError(
      "train: the layout is one of weights in f16, of which nothing trains; lay out without precision",
      "usage",
    );
  const tape = createTape();
  const parameters = declareParameters(tape, layout, precision);
  const scaler = training ? scalerOf(tape, precision) : undefined;
  const inputs = declareInputs(tape, shape, training);
  const { step } = inputs;
  const labels = tape.input("labels", { dtype: "i32", shape: [shape.batch * shape.context] });
  const hidden = gpt2Trunk(config, parameters, inputs, shape, training, fused);
  const table = gpt2Classifier(config, parameters);
  const names = training ? trainedEntries(layout).map(({ name }) => name) : [];
  const gradients = {
    hidden: names.some((name) => name !== CLASSIFIER),
    table: names.includes(config.tieWordEmbeddings ? "wte.weight" : CLASSIFIER),
  };
  const { loss, seeds } = classifierLoss(tape, hidden, table, labels, step, {
    ...{ gradients, smoothing, scaler, logits },
  });
  return { tape, parameters, step, scaler, hidden, loss, seeds };
}

/** Appends the gradients of the loss by what trains, placed in the gradient arena, whose parts are given. */
function traceGradients(traced: LossTape, layout: ParameterLayout, recompute = false): Value[] {
  const gradients = declareArena(traced.tape, layout, ARENA.gradients);
  placeGradients(traced, layout, gradients, recompute);
  return gradients;
}

/** The same in an arena that is there; gives the gradients, in the order of what trains. */
function placeGradients(
  { tape, parameters, seeds }: LossTape,
  layout: ParameterLayout,
  arena: readonly Value[],
  recompute: boolean,
): Value[] {
  const entries = trainedEntries(layout);
  const views = entries.map(({ name }) => parameters.views.get(name)!);
  const blocks = recompute ? sectionRanges(tape, BLOCK_PREFIX) : [];
  return backward(tape, seeds, views, blocks).map((gradient, i) => {
    const { name, offset, shape } = entries[i]!;
    if (!gradient) throw new Error(`the loss does not depend on ${name}`);
    const [place] = stretchesOf(layout.parts, offset, sizeOf(shape));
    tape.place(gradient, arena[place!.part]!, place!.offset);
    return gradient;
  });
}

/**
 * One whole training step: forward, backward, norm and clip, AdamW. Inputs: tokens, positions, tokenOrder,
 * positionOrder, lengths, labels, step; starts where rows are packed. Outputs: loss [1] and stats [4] of `gradientNorm`;
 * `groupStats` of each group where there are several.
 */
export function trainingTape(
  config: Gpt2Config,
  layout: ParameterLayout,
  shape: BatchShape,
  options: StepOptions,
): Tape {
  const traced = traceLoss(config, layout, shape, true, options);
  const { tape, parameters, step, loss, scaler } = traced;
  const gradients = traceGradients(traced, layout, options.recompute);
  tape.output("loss", loss);
  traceUpdate(tape, layout, { parameters: parameters.arena, gradients, loss, step, scaler }, options);
  return tape;
}

/**
 * A part of a step whose gradients come from several micro-batches: forward, backward, and sums of gradients and losses
 * that `updateTape` finishes. With lossScale = 1 / labels of the whole step in each, the sums are those of one large
 * batch. Inputs as `trainingTape`; no outputs.
 */
export function microBatchTape(
  config: Gpt2Config,
  layout: ParameterLayout,
  shape: BatchShape,
  options: PassOptions,
): Tape {
  const traced = traceLoss(config, layout, shape, true, options);
  const { tape, step, loss } = traced;
  const gradients = traceGradients(traced, layout, options.recompute);
  const sums = declareSums(tape, layout);
  for (const [part, sum] of sums.gradients.entries()) accumulate(sum, gradients[part]!, step);
  accumulate(sums.loss, loss, step);
  return tape;
}

/**
 * The part of a step whose gradients are summed over ranks: forward and backward, which leaves the gradients in their arena. With
 * lossScale = 1 / labels of the whole step on all ranks, the sums are those of one large batch. Inputs as `trainingTape`;
 * outputs: loss [1]. A fence stands behind each of `rankSegments` but the last.
 */
export function rankTape(
  config: Gpt2Config,
  layout: ParameterLayout,
  shape: BatchShape,
  options: PassOptions,
  segments: readonly RankSegment[],
): Tape {
  const traced = traceLoss(config, layout, shape, true, options);
  const { tape } = traced;
  const arena = declareArena(tape, layout, ARENA.gradients);
  const ends = endsOf(tape, placeGradients(traced, layout, arena, options.recompute === true));
  const entries = trainedEntries(layout);
  let fence = 0;
  for (const { ranges } of segments.slice(0, -1)) {
    entries.forEach(({ offset }, i) => {
      const inside = ranges.some((range) => offset >= range.offset && offset < range.offset + range.length);
      if (inside) fence = Math.max(fence, ends[i]!);
    });
    // An op that does several things may have ended this segment with an earlier one.
    fence = Math.max(fence, (tape.fences.at(-1) ?? 0) + 1);
    if (fence < tape.nodes.length) tape.fence(fence);
    else throw new Error("rankTape: these segments are not ready one after another");
  }
  tape.output("loss", traced.loss);
  return tape;
}

/** Gradients that a backward pass comes to the end of together: stretches of their arena. */
export interface RankSegment {
  readonly ranges: readonly { readonly offset: number; readonly length: number }[];
}

/** Nodes after which each of these gradients is what it stays. */
function endsOf(tape: Tape, gradients: readonly Value[]): number[] {
  const numbers = new Map(tape.nodes.map((node, i) => [node, i + 1]));
  const endOf = (value: Value): number => {
    const from = tape.origin(value);
    if (from.kind === "view") return endOf(from.base);
    return from.kind === "node" ? numbers.get(from.node)! : 0;
  };
  return gradients.map(endOf);
}

/**
 * What trains in the order in which a backward pass is done with it, in segments of at least so many elements: the first ones can be
 * summed over ranks while the others are still computed. The same for batches of any length.
 */
export function rankSegments(
  config: Gpt2Config,
  layout: ParameterLayout,
  options: PassOptions,
  least: number,
): RankSegment[] {
  const traced = traceLoss(config, layout, { batch: 1, context: 1 }, true, options);
  const arena = declareArena(traced.tape, layout, ARENA.gradients);
  const gradients = placeGradients(traced, layout, arena, options.recompute === true);
  const ends = endsOf(traced.tape, gradients);
  const entries = trainedEntries(layout).map(({ offset }, i, all) => {
    return { offset, length: (all[i + 1]?.offset ?? layout.trained) - offset, end: ends[i]! };
  });
  const segments: RankSegment[] = [];
  let [open, elements]: [typeof entries, number] = [[], 0];
  const close = (): void => {
    if (open.length > 0) segments.push({ ranges: merged(open) });
    [open, elements] = [[], 0];
  };
  const ordered = entries.toSorted((a, b) => a.end - b.end);
  for (const [i, entry] of ordered.entries()) {
    open.push(entry);
    elements += entry.length;
    // What one op ends belongs together.
    if (elements >= least && ordered[i + 1]?.end !== entry.end) close();
  }
  close();
  return segments;
}

/** Stretches in the order of their places, those side by side as one. */
function merged(ranges: readonly { readonly offset: number; readonly length: number }[]): RankSegment["ranges"] {
  const whole: { offset: number; length: number }[] = [];
  for (const { offset, length } of ranges.toSorted((a, b) => a.offset - b.offset)) {
    const last = whole.at(-1);
    if (last && last.offset + last.length === offset) last.length += length;
    else whole.push({ offset, length });
  }
  return whole;
}

/** The end of a step that was accumulated: norm and clip, AdamW. Inputs: step. Outputs: loss [1] and stats [4]. */
export function updateTape(layout: ParameterLayout, options: StepOptions): Tape {
  const tape = createTape();
  const parameters = declareParameters(tape, layout).arena;
  const step = tape.input("step", STEP);
  const { gradients, loss } = declareSums(tape, layout);
  tape.output("loss", loss);
  const scaler = scalerOf(tape, options.precision);
  traceUpdate(tape, layout, { parameters, gradients, loss, step, scaler }, options);
  return tape;
}

function declareSums(tape: Tape, layout: ParameterLayout): { gradients: Value[]; loss: Value } {
  return { gradients: declareArena(tape, layout, ARENA.accumulated), loss: tape.state(LOSS_SUM, f32([1])) };
}

/** The state of the dynamic loss scale, in mixed precision. */
export const LOSS_SCALER = "loss scaler";

/** The value of that state; undefined where there is no scale. */
function scalerOf(tape: Tape, precision: FloatDType | undefined): Value | undefined {
  return precision === "f16" ? tape.state(LOSS_SCALER, SCALER) : undefined;
}

/** The state that sums losses over the micro-batches of a step. */
export const LOSS_SUM = "accumulated loss";

/** The output with `gradientNorm`'s stats of one group; only where there are several. */
export function groupStats(group: string): string {
  return `stats of ${group}`;
}

interface UpdateValues {
  /** Parts of the arenas. */
  readonly parameters: readonly Value[];
  readonly gradients: readonly Value[];
  readonly loss: Value;
  readonly step: Value;
  readonly scaler: Value | undefined;
}

function traceUpdate(
  tape: Tape,
  layout: ParameterLayout,
  { parameters, gradients, loss, step, scaler }: UpdateValues,
  options: StepOptions,
): void {
  const stats = normOf(gradients, loss, options.maxGradNorm, scaler);
  tape.output("stats", stats);
  const m = declareArena(tape, layout, ARENA.m);
  const v = declareArena(tape, layout, ARENA.v);
  const { beta1, beta2, epsilon, weightDecay } = options;
  layout.groups.forEach(({ name, offset, size, decayed, rateFactor }) => {
    const stretches = stretchesOf(layout.parts, offset, size);
    const viewsOf = (arena: readonly Value[]): Value[] =>
      stretches.map(({ part, offset, length }) => tape.view(arena[part]!, offset, [length]));
    const views = { parameters: viewsOf(parameters), gradients: viewsOf(gradients), m: viewsOf(m), v: viewsOf(v) };
    if (layout.groups.length > 1) tape.output(groupStats(name), normOf(views.gradients, loss, 0, scaler));
    stretches.forEach(({ from, length }, i) => {
      const state = {
        parameters: views.parameters[i]!,
        gradients: views.gradients[i]!,
        m: views.m[i]!,
        v: views.v[i]!,
      };
      const part = { decayed: Math.max(0, Math.min(length, decayed - from)), rateFactor };
      adamw(state, step, stats, { beta1, beta2, epsilon, weightDecay, ...part });
    });
  });
  if (scaler) lossScaler(scaler, stats);
}

/** `gradientNorm` of gradients in several parts. */
function normOf(parts: readonly Value[], loss: Value, maxNorm: number, scaler: Value | undefined): Value {
  const last = parts.length - 1;
  let stats: Value | undefined;
  parts.forEach((gradients, i) => {
    stats = gradientNorm(gradients, loss, i === last ? maxNorm : 0, { scaler, before: stats });
  });
  return stats!;
}

/**
 * Loss and gradients, with nothing updated: what `verify` compares. Outputs: loss, and all logits unless unwanted. In f16 the
 * gradients are as many times too large as the state `LOSS_SCALER` says.
 */
export function gradientTape(
  config: Gpt2Config,
  layout: ParameterLayout,
  shape: BatchShape,
  logits = true,
  precision: FloatDType = "f32",
  form: Pick<PassOptions, "logits" | "fused"> = {},
): Tape {
  const traced = traceLoss(config, layout, shape, true, { precision, ...form });
  const { tape, parameters, hidden, loss } = traced;
  tape.output("loss", loss);
  if (logits) tape.output("logits", gpt2Logits(config, parameters, hidden));
  traceGradients(traced, layout);
  return tape;
}

/** The loss alone, without dropout. Outputs: loss. */
export function evaluationTape(
  config: Gpt2Config,
  layout: ParameterLayout,
  shape: BatchShape,
  precision: FloatDType = "f32",
  logits?: LogitsForm,
): Tape {
  const { tape, loss } = traceLoss(config, layout, shape, false, { precision, logits });
  tape.output("loss", loss);
  return tape;
}
