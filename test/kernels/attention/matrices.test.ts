import { describe } from "vitest";
import type { Gpu } from "../../../src/gpu/device.ts";
import { attentionOp } from "../../../src/kernels/attention.ts";
import { f16, type OpCase } from "../../../src/kernels/op.ts";
import { packStep, STEP } from "../../../src/kernels/step.ts";
import type { Traits } from "../../../src/kernels/traits.ts";
import { traitsOf } from "../../../src/runtime/gpu.ts";
import { withAttentionMatrices } from "../../support/attention-matrices.ts";
import { checkOp } from "../../support/check.ts";

const MATRIX = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 };

/** Emulated subgroup matrices on a software driver. */
const emulated = (more: Partial<Traits> = {}) => ({
  device: (gpu: Gpu) => withAttentionMatrices(gpu, gpu.info.subgroupMinSize),
  traits: (gpu: Gpu): Partial<Traits> => ({
    subgroupMatrices: [MATRIX],
    subgroupMaxSize: gpu.info.subgroupMinSize,
    subgroupSizeControl: traitsOf(gpu).subgroupSizeControl,
    maxWorkgroupBytes: 32768,
    ...more,
  }),
});

const step = { ...STEP, values: [...packStep({ seed: 11, step: 5, learningRate: 0, lossScale: 1 })] };

interface Rest {
  readonly variant?: string;
  readonly dropout?: number;
  readonly scale?: number;
  /** Lengths of records, for each sequence. */
  readonly records?: readonly (readonly number[])[];
}

function attentionCase(T: number, heads: number, D: number, lengths: readonly number[], rest: Rest = {}): OpCase {
  const { variant = "matrices", dropout = 0, scale = 1, records } = rest;
  const batch = lengths.length;
  const starts = records?.flatMap((of) => of.flatMap((length, r) => Array<number>(length).fill(sum(of.slice(0, r)))));
  return {
    inputs: {
      qkv: { ...f16([batch * T, 3 * heads * D]), scale },
      lengths: { dtype: "u32", shape: [batch], values: [...lengths] },
      ...(dropout ? { step } : {}),
      ...(starts ? { starts: { dtype: "u32", shape: [batch * T], values: starts } } : {}),
    },
    attrs: { batch, heads, dropout, stream: 16, variant },
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

const withoutCases = { ...attentionOp, cases: [] };
const variants = ["matrices", "matrices-wide", "matrices-copied", "matrices-direct"] as const;

describe.each(variants)("on matrix units, %s", (variant) => {
  checkOp(withoutCases, {
    gpuCases: [
      attentionCase(75, 2, 16, [75, 40], { variant }),
      attentionCase(133, 1, 32, [133, 5], { variant, dropout: 0.2 }),
      attentionCase(90, 1, 16, [0, 0], {
        variant,
        records: [
          [30, 1, 13, 40, 6],
          [2, 88],
        ],
        dropout: 0.2,
      }),
      attentionCase(90, 2, 16, [0], { variant, records: [[30, 1, 13, 40, 6]] }),
    ],
    ...emulated({ maxGroupsPerDimension: 5 }),
  });
});
