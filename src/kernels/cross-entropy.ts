import { bytesPerElement } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import {
  type CpuTensor,
  defineOp,
  expectFloat,
  expectType,
  f16,
  f32,
  shapeError,
  type TensorType,
  type Value,
} from "./op.ts";

/** A label that takes no part in the loss, as PyTorch's `ignore_index`. */
export const IGNORED_LABEL = -100;

export interface CrossEntropyAttrs {
  /**
   * Label smoothing (Szegedy et al. 2016) in [0, 1): the label counts 1 - smoothing, and smoothing is spread evenly over
   * the vocabulary, as transformers' LabelSmoother and torch's label_smoothing have it.
   */
  readonly smoothing: number;
  /**
   * How many of the logits of a row count, 0 for all: V. What is behind them takes no part, and has a gradient of 0. Rows of a multiple
   * of 4 logits are read 4 at a time.
   */
  readonly columns: number;
}

const DEFAULTS: CrossEntropyAttrs = { smoothing: 0, columns: 0 };

/**
 * loss[r] = logSumExp[r] - (1 - e) logits[r, label[r]] - e mean over j of logits[r, j], e being the smoothing, or 0 where
 * the label is ignored. logits: [R, V], or more columns than V; labels: i32 [R], each in [0, V) or IGNORED_LABEL (the host checks);
 * logits f32 or f16, loss, logSumExp: [R]. The row's maximum is subtracted before `exp`.
 */
export const crossEntropyOp = defineOp({
  name: "crossEntropy",
  inputs: ["logits", "labels"],
  outputs: ["loss", "logSumExp"],
  halves: ["logits"],
  auxiliary: ["logSumExp"],
  attrs: DEFAULTS,
  shapes: ({ logits, labels }, attrs) => {
    expectFloat("crossEntropy", "logits", logits, [-1, -1]);
    checkAttrs("crossEntropy", logits, attrs);
    expectType("crossEntropy", "labels", labels, "i32", [logits.shape[0]!]);
    return { loss: f32([logits.shape[0]!]), logSumExp: f32([logits.shape[0]!]) };
  },
  cpu: ({ logits, labels }, { loss, logSumExp }, { smoothing, columns }) => {
    const width = logits.shape[1]!;
    const v = columns || width;
    for (let r = 0; r < labels.data.length; r++) {
      const row = logits.data.subarray(r * width, r * width + v);
      let maximum = Number.NEGATIVE_INFINITY;
      for (let j = 0; j < v; j++) maximum = Math.max(maximum, row[j]!);
      let sum = 0;
      let below = 0;
      for (let j = 0; j < v; j++) {
        sum += Math.exp(row[j]! - maximum);
        below += row[j]! - maximum;
      }
      logSumExp.data[r] = maximum + Math.log(sum);
      const label = labels.data[r]!;
      if (label === IGNORED_LABEL) continue;
      loss.data[r] = Math.log(sum) - (1 - smoothing) * (row[label]! - maximum) - (smoothing * below) / v;
    }
  },
  vjp: ({ logits, labels }, { logSumExp }, { loss: dloss }, attrs) => {
    if (!dloss) return {};
    return { logits: crossEntropyBackwardOp.apply({ logits, labels, logSumExp, dloss }, attrs).dlogits };
  },
  cost: ({ logits }) => ({
    flops: 4 * sizeOf(logits.shape),
    bytes: bytesPerElement(logits.dtype) * sizeOf(logits.shape),
  }),
  cases: [
    { inputs: { logits: f32([3, 5]), labels: { dtype: "i32", shape: [3], values: [4, IGNORED_LABEL, 0] } } },
    { inputs: { logits: { ...f32([2, 7]), scale: 20 }, labels: { dtype: "i32", shape: [2], values: [3, 6] } } },
    {
      inputs: { logits: f32([3, 5]), labels: { dtype: "i32", shape: [3], values: [4, IGNORED_LABEL, 0] } },
      attrs: { smoothing: 0.1 },
    },
    { inputs: { logits: f16([3, 5]), labels: { dtype: "i32", shape: [3], values: [4, IGNORED_LABEL, 0] } } },
    {
      inputs: { logits: f32([3, 8]), labels: { dtype: "i32", shape: [3], values: [4, IGNORED_LABEL, 0] } },
      attrs: { smoothing: 0.1, columns: 5 },
    },
  ],
});

/**
 * dlogits[r, j] = (exp(logits[r, j] - logSumExp[r]) - (1 - e) [j = label[r]] - e / V) * dloss[r], e being the smoothing;
 * exactly 0 where the label is ignored.
 * Given `reuse` instead of `logits`, the gradient takes the logits' place in memory.
 */
export const crossEntropyBackwardOp = defineOp({
  name: "crossEntropyBackward",
  inputs: ["labels", "logSumExp", "dloss"],
  optional: ["logits", "reuse"],
  outputs: ["dlogits"],
  halves: ["logits", "reuse"],
  updates: { dlogits: "reuse" },
  attrs: DEFAULTS,
  shapes: ({ logits, reuse, labels, logSumExp, dloss }, attrs) => {
    const given = logits ?? reuse;
    if (!given || (logits && reuse)) return shapeError("crossEntropyBackward", "wanted one of logits and reuse");
    const rows = [given.shape[0]!];
    expectType("crossEntropyBackward", "labels", labels, "i32", rows);
    expectType("crossEntropyBackward", "logSumExp", logSumExp, "f32", rows);
    expectType("crossEntropyBackward", "dloss", dloss, "f32", rows);
    const dtype = expectFloat("crossEntropyBackward", "logits", given, [-1, -1]);
    checkAttrs("crossEntropyBackward", given, attrs);
    return { dlogits: { dtype, shape: given.shape } };
  },
  cpu: ({ logits, labels, logSumExp, dloss }, { dlogits }, { smoothing, columns }) => {
    const width = dlogits.shape[1]!;
    const v = columns || width;
    const from = (logits ?? dlogits).data;
    for (let r = 0; r < labels.data.length; r++) {
      const label = labels.data[r]!;
      for (let j = 0; j < width; j++) {
        const probability = Math.exp(from[r * width + j]! - logSumExp.data[r]!);
        const wanted = (j === label ? 1 - smoothing : 0) + smoothing / v;
        const gradient = (probability - wanted) * dloss.data[r]!;
        dlogits.data[r * width + j] = label === IGNORED_LABEL || j >= v ? 0 : gradient;
      }
    }
  },
  cost: (_inputs, { dlogits }) => ({
    flops: 4 * sizeOf(dlogits.shape),
    bytes: 2 * bytesPerElement(dlogits.dtype) * sizeOf(dlogits.shape),
  }),
  cases: (
    [
      ["logits", 0, f32, 5],
      ["reuse", 0, f32, 5],
      ["reuse", 0.2, f32, 5],
      ["logits", 0, f16, 5],
      ["reuse", 0, f16, 5],
      ["reuse", 0.2, f32, 8],
    ] as const
  ).map(([name, smoothing, type, width]) => ({
    attrs: { smoothing, columns: width === 5 ? 0 : 5 },
    inputs: {
      [name]: type([3, width]),
      labels: { dtype: "i32", shape: [3], values: [4, IGNORED_LABEL, 0] },
      logSumExp: f32([3]),
      dloss: f32([3]),
    },
  })),
});

/** The loss of each row, [R]. */
export function crossEntropy(logits: Value, labels: Value, attrs: Partial<CrossEntropyAttrs> = {}): Value {
  return crossEntropyOp.apply({ logits, labels }, attrs).loss;
}

function checkAttrs(op: string, logits: TensorType, { smoothing, columns }: CrossEntropyAttrs): void {
  if (!(smoothing >= 0 && smoothing < 1)) shapeError(op, `smoothing is ${smoothing}, wanted 0 or more and less than 1`);
  if (columns > logits.shape[1]!) shapeError(op, `columns is ${columns}, logits have ${logits.shape[1]}`);
}

/** Throws where a label is neither in [0, V) nor ignored: such a label would read past its row. */
export function checkLabels(labels: CpuTensor["data"], vocabulary: number): void {
  const bad = labels.findIndex((label: number) => label !== IGNORED_LABEL && !(label >= 0 && label < vocabulary));
  if (bad >= 0) {
    throw new Error(`crossEntropy: label ${labels[bad]} at ${bad}, wanted 0..${vocabulary - 1} or ${IGNORED_LABEL}`);
  }
}
