import type { AnyOp, Op, OpSpec } from "../op.ts";

/** A kernel, and whose it is. */
export interface AnyKernelOf {
  readonly op: AnyOp;
  readonly wasm: NonNullable<AnyOp["wasm"]>;
}

/** What WebAssembly does for an op of ours, written as it would stand in the op's spec. */
export function wasmKernel<I extends string, Q extends string, O extends string, A extends object>(
  op: Op<I, Q, O, A>,
  wasm: NonNullable<OpSpec<I, Q, O, A>["wasm"]>,
) {
  return { op, wasm };
}
