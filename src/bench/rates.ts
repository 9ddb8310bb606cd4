import { droppedMatmulOp } from "../kernels/dropped-matmul.ts";
import { geluMatmulOp } from "../kernels/gelu-matmul.ts";
import { matmulOp } from "../kernels/matmul.ts";
import type { AnyOp, TensorType } from "../kernels/op.ts";

/** What an adapter does at most, measured: the yardstick of every other measurement. */
export interface Peak {
  /** Arithmetic in f32, a multiply-add counting as two: in registers, or on units that multiply matrices of f32. */
  readonly gflopsPerS: number;
  /** The same with products of f16 that are summed in f32: on matrix units where there are any. */
  readonly halfGflopsPerS: number;
  /** Copying, bytes read plus bytes written. */
  readonly gbPerS: number;
}

export interface Cost {
  readonly flops: number;
  /** Those of `flops` that are products of f16 and f16. */
  readonly halfFlops: number;
  readonly bytes: number;
}

interface CostedNode {
  readonly op: AnyOp;
  readonly inputs: Record<string, TensorType>;
  readonly outputs: Record<string, TensorType>;
  readonly attrs: object;
}

const PRODUCTS = [matmulOp.name, geluMatmulOp.name, droppedMatmulOp.name];

/** The least work of some ops together. */
export function costOf(nodes: readonly CostedNode[]): Cost {
  const sum = { flops: 0, halfFlops: 0, bytes: 0 };
  for (const { op, inputs, outputs, attrs } of nodes) {
    const { flops, bytes } = op.cost(inputs, outputs, attrs);
    const halves = PRODUCTS.includes(op.name) && inputs.a?.dtype === "f16" && inputs.b?.dtype === "f16";
    sum.flops += flops;
    sum.halfFlops += halves ? flops : 0;
    sum.bytes += bytes;
  }
  return sum;
}

/** The rates of `cost` done in `ms`. */
export function ratesOf(cost: Cost, ms: number, peak: Peak | undefined) {
  const rates = { gflops_per_s: cost.flops / ms / 1e6, gb_per_s: cost.bytes / ms / 1e6 };
  if (!peak) return rates;
  return {
    ...rates,
    fraction_of_peak: leastMs(cost, peak) / ms,
    limited_by: arithmeticMs(cost, peak) >= copyingMs(cost, peak) ? ("arithmetic" as const) : ("memory" as const),
  };
}

/** Milliseconds that the work takes at least, on an adapter with these peaks. */
export function leastMs(cost: Cost, peak: Peak): number {
  return Math.max(arithmeticMs(cost, peak), copyingMs(cost, peak));
}

function arithmeticMs({ flops, halfFlops }: Cost, { gflopsPerS, halfGflopsPerS }: Peak): number {
  return ((flops - halfFlops) / gflopsPerS + halfFlops / halfGflopsPerS) / 1e6;
}

function copyingMs({ bytes }: Cost, { gbPerS }: Peak): number {
  return bytes / gbPerS / 1e6;
}
