import { bytesPerElement } from "../core/dtype.ts";
import { philox } from "../core/philox.ts";
import { formatShape } from "../core/shape.ts";
import { type AttentionSizes, droppedOf, keptScale } from "./attention-sizes.ts";
import {
  type CpuTensor,
  defineOp,
  expectFloat,
  expectType,
  f16,
  f32,
  type OpCase,
  shapeError,
  type TensorType,
  type Value,
} from "./op.ts";
import { packStep, STEP, unpackStep } from "./step.ts";
import type { AttentionChoice } from "./tuning.ts";

export interface AttentionAttrs {
  readonly batch: number;
  readonly heads: number;
  /** Rate at which probabilities are dropped, to the next 65,536th; wants the input `step`. */
  readonly dropout: number;
  /** Philox stream of the dropout. */
  readonly stream: number;
  /**
   * Which kernels: "rows" never store a score, and neither do "quads", where four invocations share a row (with subgroups and
   * heads of a multiple of 16; else they are "rows"); "tiles64" and the like take tiles of rows and keys through workgroup memory (heads of 16, 32
   * and 64, where they fit it; else "quads"); "matrices" are for f16 on matrix units, in some forms (else "quads"); "panels" keep the scores of a few rows at a time, "products" do so and are
   * products of matrices like all others (packed sequences, and sizes that such products would be slow for, are "panels"); or what suits the adapter.
   */
  readonly variant: "auto" | AttentionChoice;
}

const DEFAULTS: AttentionAttrs = { batch: 1, heads: 1, dropout: 0, stream: 0, variant: "auto" };
const MAX_HEAD_SIZE = 128;

/**
 * Causal self-attention (Vaswani et al. 2017), y_i = sum over j <= i of softmax(q_i . k_j / sqrt(D)) v_j, head by head.
 * qkv: [B T, 3 C], a row is q | k | v, head h at columns h D of each; lengths: u32 [B], how many tokens of each sequence
 * are real: rows behind them give exactly 0 and get a gradient of exactly 0. y: [B T, C]; logSumExp: [B H T].
 * Sequences of several records end to end have starts: u32 [B T], for each row the first key that it sees, where its
 * record begins; within a sequence starts never fall and none is behind its row. Then lengths is not read: what fills a
 * sequence up is a record, or several. qkv and y are both f32 or both f16, what is computed is f32.
 */
export const attentionOp = defineOp({
  name: "attention",
  inputs: ["qkv", "lengths"],
  optional: ["step", "starts"],
  halves: ["qkv"],
  outputs: ["y", "logSumExp"],
  auxiliary: ["logSumExp"],
  attrs: DEFAULTS,
  shapes: (inputs, attrs) => {
    const { B, T, H, C, dtype } = sizesOf("attention", inputs, attrs);
    return { y: { dtype, shape: [B * T, C] }, logSumExp: f32([B * H * T]) };
  },
  cpu: ({ qkv, lengths, step, starts }, { y, logSumExp }, attrs) => {
    const { T, D, C } = sizesOf("attention", { qkv, lengths, step, starts }, attrs);
    eachRow({ qkv, lengths, step, starts }, attrs, (row, scores, kept) => {
      const highest = scores.reduce((a, b) => Math.max(a, b));
      const total = scores.reduce((sum, s) => sum + Math.exp(s - highest), 0);
      logSumExp.data[row.number] = highest + Math.log(total);
      const sums = new Float64Array(D);
      scores.forEach((s, n) => {
        const j = row.start + n;
        const p = (Math.exp(s - highest) / total) * kept(j);
        for (let d = 0; d < D; d++) sums[d]! += p * qkv.data[(row.b * T + j) * 3 * C + 2 * C + row.h * D + d]!;
      });
      y.data.set(sums, row.y);
    });
  },
  vjp: ({ qkv, lengths, step, starts }, { y, logSumExp }, { y: dy }, attrs) =>
    dy ? { qkv: attentionBackwardOp.apply({ qkv, lengths, step, starts, y, logSumExp, dy }, attrs).dqkv } : {},
  // two products over the lower triangle
  cost: ({ qkv, lengths }, _outputs, attrs) => {
    const { B, T, H, D } = sizesOf("attention", { qkv, lengths }, { ...attrs, dropout: 0 });
    return {
      flops: 2 * B * H * T * (T + 1) * D,
      bytes: 4 * bytesPerElement(qkv.dtype) * B * T * H * D + 4 * B * H * T,
    };
  },
  cases: attentionCases(),
});

/** dqkv [B T, 3 C] of attention; recomputes the probabilities from logSumExp. */
export const attentionBackwardOp = defineOp({
  name: "attentionBackward",
  inputs: ["qkv", "lengths", "y", "logSumExp", "dy"],
  optional: ["step", "starts"],
  halves: ["qkv", "y", "dy"],
  outputs: ["dqkv"],
  attrs: DEFAULTS,
  shapes: ({ qkv, lengths, step, starts, y, logSumExp, dy }, attrs) => {
    const { B, T, H, C, dtype } = sizesOf("attentionBackward", { qkv, lengths, step, starts }, attrs);
    expectType("attentionBackward", "y", y, dtype, [B * T, C]);
    expectType("attentionBackward", "logSumExp", logSumExp, "f32", [B * H * T]);
    expectType("attentionBackward", "dy", dy, dtype, [B * T, C]);
    return { dqkv: { dtype, shape: qkv.shape } };
  },
  cpu: ({ qkv, lengths, step, starts, y, logSumExp, dy }, { dqkv }, attrs) => {
    const { T, D, C, scale } = sizesOf("attentionBackward", { qkv, lengths, step, starts }, attrs);
    const sums = new Float64Array(dqkv.data.length);
    eachRow({ qkv, lengths, step, starts }, attrs, (row, scores, kept) => {
      let delta = 0;
      for (let d = 0; d < D; d++) delta += dy.data[row.y + d]! * y.data[row.y + d]!;
      scores.forEach((s, n) => {
        const j = row.start + n;
        const k = (row.b * T + j) * 3 * C + C + row.h * D;
        const p = Math.exp(s - logSumExp.data[row.number]!);
        let dp = 0;
        for (let d = 0; d < D; d++) dp += dy.data[row.y + d]! * qkv.data[k + C + d]!;
        const ds = p * (dp * kept(j) - delta) * scale;
        for (let d = 0; d < D; d++) {
          sums[row.q + d]! += ds * qkv.data[k + d]!;
          sums[k + d]! += ds * qkv.data[row.q + d]!;
          sums[k + C + d]! += p * kept(j) * dy.data[row.y + d]!;
        }
      });
    });
    dqkv.data.set(sums);
  },
  // five products over the lower triangle: scores, dp, dq, dk, dv
  cost: ({ qkv, lengths }, _outputs, attrs) => {
    const { B, T, H, D } = sizesOf("attentionBackward", { qkv, lengths }, { ...attrs, dropout: 0 });
    return {
      flops: 5 * B * H * T * (T + 1) * D,
      bytes: 8 * bytesPerElement(qkv.dtype) * B * T * H * D + 4 * B * H * T,
    };
  },
  cases: [
    {
      inputs: { qkv: f32([5, 24]), lengths: u32(5), y: f32([5, 8]), logSumExp: f32([10]), dy: f32([5, 8]) },
      attrs: { heads: 2 },
    },
    {
      inputs: { qkv: f16([5, 24]), lengths: u32(5), y: f16([5, 8]), logSumExp: f32([10]), dy: f16([5, 8]) },
      attrs: { heads: 2 },
    },
  ],
});

/** Causal self-attention over rows q | k | v, [B T, C]; each sequence has as many real rows as `lengths` says. */
export function attention(
  qkv: Value,
  lengths: Value,
  attrs: Partial<AttentionAttrs> & Pick<AttentionAttrs, "batch" | "heads">,
  { step, starts }: { readonly step?: Value | undefined; readonly starts?: Value | undefined } = {},
): Value {
  return attentionOp.apply({ qkv, lengths, step, starts }, attrs).y;
}

type Inputs<T> = {
  readonly qkv: T;
  readonly lengths: T;
  readonly step?: T | undefined;
  readonly starts?: T | undefined;
};

export function sizesOf(
  op: string,
  { qkv, lengths, step, starts }: Inputs<TensorType>,
  { batch, heads, dropout, stream }: AttentionAttrs,
): AttentionSizes {
  const dtype = expectFloat(op, "qkv", qkv, [-1, -1]);
  expectType(op, "lengths", lengths, "u32", [batch]);
  if (step) expectType(op, "step", step, STEP.dtype, STEP.shape);
  const [rows = 0, columns = 0] = qkv.shape;
  const [T, C] = [rows / batch, columns / 3];
  const D = C / heads;
  if (!Number.isInteger(T) || !Number.isInteger(C) || !Number.isInteger(D))
    shapeError(op, `qkv ${formatShape(qkv.shape)} is not [batch T, 3 heads D] with batch ${batch}, heads ${heads}`);
  if (D > MAX_HEAD_SIZE) shapeError(op, `a head of ${D} columns, at most ${MAX_HEAD_SIZE} fit registers; more heads?`);
  if (dropout > 0 && !step) shapeError(op, `dropout ${dropout} wants the input step`);
  if (starts) expectType(op, "starts", starts, "u32", [rows]);
  const scale = 1 / Math.sqrt(D);
  return {
    B: batch,
    T,
    H: heads,
    D,
    C,
    scale,
    dropped: droppedOf(dropout),
    stream,
    packed: starts !== undefined,
    dtype,
  };
}

/** Where row i of head h of sequence b lies: its query, its output, its place in logSumExp; and its first key. */
interface Row {
  readonly b: number;
  readonly h: number;
  readonly q: number;
  readonly y: number;
  readonly number: number;
  readonly start: number;
}

/** Calls `visit` for each real row of each head with its scores, one for each key from the first on, and what dropout multiplies key j with. */
function eachRow(
  { qkv, lengths, step, starts }: Inputs<CpuTensor>,
  attrs: AttentionAttrs,
  visit: (row: Row, scores: readonly number[], kept: (j: number) => number) => void,
): void {
  const { B, T, H, D, C, scale, dropped } = sizesOf("attention", { qkv, lengths, step, starts }, attrs);
  const scalars = step && unpackStep(step.data);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      for (let i = 0; i < (starts ? T : Math.min(lengths.data[b]!, T)); i++) {
        const at = b * T + i;
        const start = starts ? starts.data[at]! : 0;
        const row = { b, h, q: at * 3 * C + h * D, y: at * C + h * D, number: (b * H + h) * T + i, start };
        const scores: number[] = [];
        for (let j = start; j <= i; j++) {
          const k = (b * T + j) * 3 * C + C + h * D;
          let dot = 0;
          for (let d = 0; d < D; d++) dot += qkv.data[row.q + d]! * qkv.data[k + d]!;
          scores.push(dot * scale);
        }
        visit(row, scores, (j) => {
          if (dropped === 0 || !scalars) return 1;
          const words = philox([j >>> 3, row.number, attrs.stream, scalars.step], scalars.key);
          const half = j % 2 === 0 ? words[(j >>> 1) & 3]! & 0xffff : words[(j >>> 1) & 3]! >>> 16;
          return half < dropped ? 0 : keptScale(dropped);
        });
      }
    }
  }
}

function u32(...values: number[]) {
  return { dtype: "u32", shape: [values.length], values } as const;
}

function attentionCases(): OpCase[] {
  const step = { ...STEP, values: [...packStep({ seed: 7, step: 3, learningRate: 0, lossScale: 1 })] };
  return [
    { inputs: { qkv: f32([5, 12]), lengths: u32(5) }, attrs: { batch: 1, heads: 1 } },
    { inputs: { qkv: f32([6, 12]), lengths: u32(3, 1) }, attrs: { batch: 2, heads: 2 } },
    {
      inputs: { qkv: f32([6, 9]), lengths: u32(6), step },
      attrs: { batch: 1, heads: 1, dropout: 0.5, stream: 16 },
    },
    {
      inputs: { qkv: f32([8, 12]), lengths: u32(0, 0), starts: u32(0, 0, 2, 3, 0, 1, 1, 1) },
      attrs: { batch: 2, heads: 2 },
    },
    {
      inputs: { qkv: f32([6, 9]), lengths: u32(0), starts: u32(0, 0, 0, 3, 3, 3), step },
      attrs: { batch: 1, heads: 1, dropout: 0.5, stream: 16 },
    },
    { inputs: { qkv: f16([6, 9]), lengths: u32(6) }, attrs: { batch: 1, heads: 1 } },
    // wide enough for quads, where an adapter has them
    { inputs: { qkv: f32([5, 96]), lengths: u32(4) }, attrs: { batch: 1, heads: 1 } },
  ];
}
