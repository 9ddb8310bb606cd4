/** What GPT-2 124M does, as tapes: a training step of 4 x 1024 tokens, and a token of decoding. */
import { traceOp } from "../../src/autograd/gradcheck.ts";
import type { Tape } from "../../src/autograd/tape.ts";
import type { FloatDType, Format } from "../../src/core/dtype.ts";
import { attentionOp } from "../../src/kernels/attention.ts";
import { droppedMatmulOp } from "../../src/kernels/dropped-matmul.ts";
import { fusedOps } from "../../src/kernels/fused.ts";
import { geluMatmulOp } from "../../src/kernels/gelu-matmul.ts";
import { matmulOp } from "../../src/kernels/matmul.ts";
import { f16, f32 } from "../../src/kernels/op.ts";
import { STEP } from "../../src/kernels/step.ts";
import type { Traits } from "../../src/kernels/traits.ts";
import { GPT2_PRESETS } from "../../src/model/config.ts";
import { decodeTape } from "../../src/model/decode.ts";
import { layoutParameters } from "../../src/model/parameters.ts";
import type { Layout } from "../../src/runtime/layout.ts";
import { stepForm } from "../../src/train/form.ts";
import { trainingTape } from "../../src/train/step.ts";

export const BATCH = 4;
export const CONTEXT = 1024;
/** Rate of all dropouts in the workloads that have any. */
const RATE = 0.1;
/** Words of the settings that sampling one row takes at most (without lists of tokens). */
const SETTINGS = 64;

export interface Workload {
  readonly name: string;
  tape(traits: Traits): Tape;
}

export const WORKLOADS: readonly Workload[] = [
  { name: "step f32", tape: (traits) => stepTape(traits, "f32", 0) },
  { name: "step f32 dropout", tape: (traits) => stepTape(traits, "f32", RATE) },
  { name: "step f16", tape: (traits) => stepTape(traits, "f16", 0) },
  { name: "step f16 dropout", tape: (traits) => stepTape(traits, "f16", RATE) },
  { name: "token", tape: () => tokenTape("f32") },
  { name: "token f16", tape: () => tokenTape("f16") },
  { name: "token f16 kv8", tape: () => tokenTape("f16", "i8") },
  { name: "token i8 kv8", tape: () => tokenTape("i8", "i8") },
  // Forms that --tune may choose; matrix units only. Their names have "f16", since that is what they are for.
  ...(["matrices", "matrices-wide", "matrices-copied"] as const).map((variant) => ({
    name: `attention ${variant} f16 dropout`,
    tape: () => attentionTape({ variant, dtype: f16, D: 64, dropout: RATE }),
  })),
  // The largest that rows are shared for, twice GPT-2's.
  ...[f32, f16].flatMap((dtype) =>
    [0, RATE].map((dropout) => ({
      name: `heads of 128 ${dtype([]).dtype}${dropout > 0 ? " dropout" : ""}`,
      tape: () => attentionTape({ variant: "auto", dtype, D: 128, dropout }),
    })),
  ),
];

const ADAMW = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };

function stepTape(traits: Traits, precision: FloatDType, rate: number): Tape {
  const config = { ...GPT2_PRESETS.gpt2, dropout: { embedding: rate, attention: rate, residual: rate } };
  const shape = { batch: BATCH, context: CONTEXT, packed: false };
  return trainingTape(config, layoutParameters(config), shape, {
    ...ADAMW,
    precision,
    ...stepForm({ traits, fused: fusedOps(traits) }),
  });
}

function tokenTape(precision: Format, cache?: Format): Tape {
  const config = GPT2_PRESETS.gpt2;
  const layout = layoutParameters(config, { precision });
  return decodeTape(config, layout, { rows: 1, places: CONTEXT, settings: SETTINGS, cache }, "sample");
}

interface AttentionForm {
  readonly variant: string;
  readonly dtype: typeof f32 | typeof f16;
  readonly D: number;
  readonly dropout: number;
}

function attentionTape({ variant, dtype, D, dropout }: AttentionForm): Tape {
  const { width } = GPT2_PRESETS.gpt2;
  return traceOp(attentionOp, {
    inputs: {
      qkv: dtype([BATCH * CONTEXT, 3 * width]),
      lengths: { dtype: "u32", shape: [BATCH], values: Array<number>(BATCH).fill(CONTEXT) },
      step: STEP,
    },
    attrs: { batch: BATCH, heads: width / D, dropout, variant },
  }).tape;
}

/** What a plan has to do, counted. */
export interface Count {
  readonly dispatches: number;
  /** Bytes moved at least, and floating-point operations, as the ops' `cost` has it. */
  readonly leastBytes: number;
  readonly flops: number;
  /** Of the operations of products, the part on matrix units. */
  readonly onMatrixUnits: number;
}

export function countOf(tape: Tape, { dispatches }: Pick<Layout, "dispatches">): Count {
  const costs = tape.nodes.map((node) => node.op.cost(node.inputs, node.outputs, node.attrs));
  const units = new Set(
    dispatches
      .filter(({ dispatch }) => dispatch.enable?.some((name) => name.includes("matrix")))
      .map(({ node }) => node),
  );
  let [products, onUnits] = [0, 0];
  tape.nodes.forEach((node, i) => {
    if (![matmulOp, geluMatmulOp, droppedMatmulOp].some((op) => op === (node.op as unknown))) return;
    products += costs[i]!.flops;
    if (units.has(node)) onUnits += costs[i]!.flops;
  });
  return {
    dispatches: dispatches.length,
    leastBytes: costs.reduce((sum, { bytes }) => sum + bytes, 0),
    flops: costs.reduce((sum, { flops }) => sum + flops, 0),
    onMatrixUnits: products > 0 ? onUnits / products : 0,
  };
}
