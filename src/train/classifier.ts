import type { Seed } from "../autograd/backward.ts";
import type { Tape } from "../autograd/tape.ts";
import { bytesPerElement, type FloatDType } from "../core/dtype.ts";
import { crossEntropyBackwardOp, crossEntropyOp } from "../kernels/cross-entropy.ts";
import { matmul } from "../kernels/matmul.ts";
import { expectFloat, f32, type Value } from "../kernels/op.ts";
import { scaledFillOp, scaledSum } from "../kernels/scaled-sum.ts";
import type { Traits } from "../kernels/traits.ts";

/** Bytes of logits that exist at one time. On a CPU more would only cost memory: each chunk is a large product already. */
const LOGITS_BYTES = 64 * 1024 * 1024;
/**
 * A GPU reads the table, and adds to its gradient, once a chunk: for GPT-2's 0.6 GB, which a chunk of 64 MiB computes for little longer
 * than they take. No more than this, since a dispatch cannot be cut: of f32 it is 129 GFLOP of GPT-2 124M, two thirds of a second on
 * a slow integrated GPU, where a browser's watchdog gives one.
 */
const GPU_LOGITS_BYTES = 320 * 1024 * 1024;
/** Elements that rows of logits are a multiple of on a GPU: an odd vocabulary would have them read and written one by one. */
const GPU_ALIGNMENT = 64;
/** Chunks begin at multiples of this many bytes of a column, so that views of labels, losses and hidden states can be bound. */
const ROW_STEP_BYTES = 256;

/** How logits lie in memory while there are any. */
export interface LogitsForm {
  /** Elements that each row takes a multiple of. */
  readonly alignment: number;
  /** Of a chunk of rows, at most. */
  readonly bytes: number;
}

const PLAIN_LOGITS: LogitsForm = { alignment: 1, bytes: LOGITS_BYTES };

/** What suits an adapter; the results are the same in all but their last bits. */
export function logitsForm({ software, maxBindingBytes }: Pick<Traits, "software" | "maxBindingBytes">): LogitsForm {
  if (software) return PLAIN_LOGITS;
  return { alignment: GPU_ALIGNMENT, bytes: Math.min(GPU_LOGITS_BYTES, maxBindingBytes) };
}

/** Rows of logits that one chunk holds, whose rows have `width` elements. */
export function rowsPerChunk(rows: number, width: number, bytes = LOGITS_BYTES, dtype: FloatDType = "f32"): number {
  const size = bytesPerElement(dtype);
  const step = ROW_STEP_BYTES / size;
  const fit = Math.floor(bytes / (size * width) / step) * step;
  return Math.min(rows, Math.max(step, fit));
}

export interface ClassifierLoss {
  /** `[1]`: `lossScale` times the sum of the cross-entropies of the labels. */
  readonly loss: Value;
  /** Gradients of the loss by `hidden` and `table`, made in the same pass over the logits: what `backward` starts from. */
  readonly seeds: readonly Seed[];
}

export interface ClassifierOptions {
  /** Which gradients are wanted; an evaluation wants none. */
  readonly gradients: { readonly hidden: boolean; readonly table: boolean };
  /** Of labels; see `CrossEntropyAttrs`. */
  readonly smoothing?: number | undefined;
  /** `lossScalerOp`'s: gradients are made so many times too large. */
  readonly scaler?: Value | undefined;
  /** Left out: rows of the vocabulary's length, in chunks of 64 MiB. */
  readonly logits?: LogitsForm | undefined;
}

/**
 * The loss of logits = hidden table^T, a chunk of rows at a time: logits are never whole in memory, and each chunk's
 * turn into their own gradient in place. hidden: [N, C]; table: [V, C]; labels: i32 [N]. Logits have the type of hidden, and
 * the gradient of the table is f32.
 */
export function classifierLoss(
  tape: Tape,
  hidden: Value,
  table: Value,
  labels: Value,
  step: Value,
  options: ClassifierOptions,
): ClassifierLoss {
  const { smoothing = 0, logits: form = PLAIN_LOGITS } = options;
  const dtype = expectFloat("classifier", "hidden", hidden, [-1, -1]);
  const [n, c] = [hidden.shape[0]!, hidden.shape[1]!];
  const vocabulary = table.shape[0]!;
  const width = Math.ceil(vocabulary / form.alignment) * form.alignment;
  // Where rows are longer than the vocabulary, ops are told so; else they need not be.
  const columns = width > vocabulary ? vocabulary : 0;
  const rows = rowsPerChunk(n, width, form.bytes, dtype);
  const losses = tape.buffer(f32([n]));
  // Without gradients there is nothing to put there, and a buffer that nothing is put in has no place in a plan.
  const { hidden: ofHidden, table: ofTable } = options.gradients;
  const dhidden = ofHidden ? tape.buffer({ dtype, shape: [n, c] }) : undefined;
  const scale = ofHidden || ofTable ? scaleOf(tape, step, n, options.scaler) : undefined;
  let dtable: Value | undefined;
  for (let at = 0; at < n; at += rows) {
    const count = Math.min(rows, n - at);
    const part = tape.view(hidden, at * c, [count, c]);
    const partLabels = tape.view(labels, at, [count]);
    const logits = matmul(part, table, { transposeB: true, result: dtype, width: columns && width });
    const { loss, logSumExp } = crossEntropyOp.apply({ logits, labels: partLabels }, { smoothing, columns });
    tape.place(loss, losses, at);
    if (!scale) continue;
    const dloss = tape.view(scale, at, [count]);
    const given = { reuse: logits, labels: partLabels, logSumExp, dloss };
    const { dlogits } = crossEntropyBackwardOp.apply(given, { smoothing, columns });
    if (dhidden) tape.place(matmul(dlogits, table, { result: dtype, columns }), dhidden, at * c);
    if (ofTable) dtable = matmul(dlogits, part, { transposeA: true, columns, into: dtable });
  }
  const loss = scaledSum(losses, step);
  const seeds = [...(dhidden ? [seed(hidden, dhidden)] : []), ...(dtable ? [seed(table, dtable)] : [])];
  return { loss, seeds };
}

/** The gradient of the loss by that of each of n rows, times the scale of mixed precision. */
function scaleOf(tape: Tape, step: Value, n: number, scaler: Value | undefined): Value {
  const dy = scaler ? tape.view(scaler, 0, [1]) : tape.constant(f32([1]), Float32Array.of(1));
  return scaledFillOp.apply({ dy, step }, { shape: [n] }).dx;
}

function seed(value: Value, gradient: Value): Seed {
  return { value, gradient };
}
