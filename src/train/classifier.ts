import type { Seed } from "../autograd/backward.ts";
import type { Tape } from "../autograd/tape.ts";
import { crossEntropyBackwardOp, crossEntropyOp } from "../kernels/cross-entropy.ts";
import { matmul } from "../kernels/matmul.ts";
import { f32, type Value } from "../kernels/op.ts";
import { scaledFillOp, scaledSum } from "../kernels/scaled-sum.ts";

/** Bytes of logits that exist at one time. More would only cost memory: each chunk is a large product already. */
const LOGITS_BYTES = 64 * 1024 * 1024;
/** Chunks begin at multiples of this many rows, so that views of labels and losses can be bound. */
const ROW_STEP = 64;

/** Rows of logits that one chunk holds. */
export function rowsPerChunk(rows: number, vocabulary: number, bytes = LOGITS_BYTES): number {
  const fit = Math.floor(bytes / (4 * vocabulary) / ROW_STEP) * ROW_STEP;
  return Math.min(rows, Math.max(ROW_STEP, fit));
}

export interface ClassifierLoss {
  /** [1]: lossScale times the sum of the cross-entropies of the labels. */
  readonly loss: Value;
  /** Gradients of the loss by `hidden` and `table`, made in the same pass over the logits: what `backward` starts from. */
  readonly seeds: readonly Seed[];
}

export interface ClassifierOptions {
  /** Which gradients are wanted; an evaluation wants none. */
  readonly gradients: { readonly hidden: boolean; readonly table: boolean };
  /** Of labels; see `CrossEntropyAttrs`. */
  readonly smoothing?: number | undefined;
  readonly logitsBytes?: number;
}

/**
 * The loss of logits = hidden table^T, a chunk of rows at a time: logits are never whole in memory, and each chunk's
 * turn into their own gradient in place. hidden: [N, C]; table: [V, C]; labels: i32 [N].
 */
export function classifierLoss(
  tape: Tape,
  hidden: Value,
  table: Value,
  labels: Value,
  step: Value,
  options: ClassifierOptions,
): ClassifierLoss {
  const { smoothing = 0 } = options;
  const [n, c] = [hidden.shape[0]!, hidden.shape[1]!];
  const rows = rowsPerChunk(n, table.shape[0]!, options.logitsBytes);
  const losses = tape.buffer(f32([n]));
  // Without gradients there is nothing to put there, and a buffer that nothing is put in has no place in a plan.
  const { hidden: ofHidden, table: ofTable } = options.gradients;
  const dhidden = ofHidden ? tape.buffer(f32([n, c])) : undefined;
  const scale = ofHidden || ofTable ? scaleOf(tape, step, n) : undefined;
  let dtable: Value | undefined;
  for (let at = 0; at < n; at += rows) {
    const count = Math.min(rows, n - at);
    const part = tape.view(hidden, at * c, [count, c]);
    const partLabels = tape.view(labels, at, [count]);
    const logits = matmul(part, table, { transposeB: true });
    const { loss, logSumExp } = crossEntropyOp.apply({ logits, labels: partLabels }, { smoothing });
    tape.place(loss, losses, at);
    if (!scale) continue;
    const dloss = tape.view(scale, at, [count]);
    const given = { reuse: logits, labels: partLabels, logSumExp, dloss };
    const { dlogits } = crossEntropyBackwardOp.apply(given, { smoothing });
    if (dhidden) tape.place(matmul(dlogits, table), dhidden, at * c);
    if (ofTable) dtable = matmul(dlogits, part, { transposeA: true, into: dtable });
  }
  const loss = scaledSum(losses, step);
  const seeds = [...(dhidden ? [seed(hidden, dhidden)] : []), ...(dtable ? [seed(table, dtable)] : [])];
  return { loss, seeds };
}

/** The loss scale for each of n rows. */
function scaleOf(tape: Tape, step: Value, n: number): Value {
  const one = tape.constant(f32([1]), Float32Array.of(1));
  return scaledFillOp.apply({ dy: one, step }, { shape: [n] }).dx;
}

function seed(value: Value, gradient: Value): Seed {
  return { value, gradient };
}
