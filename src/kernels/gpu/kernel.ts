import type { AnyGpuKernel, AnyOp, GpuKernel, Op } from "../op.ts";

/** A kernel, and whose it is. */
export interface KernelOf<I extends string, Q extends string, O extends string, A extends object>
  extends GpuKernel<I, Q, O, A> {
  readonly op: Op<I, Q, O, A>;
}

/** The same of an op whose names are not known to the compiler. */
export interface AnyKernelOf extends AnyGpuKernel {
  readonly op: AnyOp;
}

/** What a GPU does for an op of ours, written as it would stand in the op's spec. */
export function gpuKernel<I extends string, Q extends string, O extends string, A extends object>(
  op: Op<I, Q, O, A>,
  kernel: GpuKernel<I, Q, O, A>,
): KernelOf<I, Q, O, A> {
  return { op, ...kernel };
}
