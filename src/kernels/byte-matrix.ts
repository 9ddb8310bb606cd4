/** A matrix of whole numbers of 8 bits, times steps: what ops that read weights take in place of one of floating-point numbers. */
import { bytesPerElement, type NumericArray } from "../core/dtype.ts";
import { NUMBERS_IN_WORD, restored } from "../core/quantize.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import { type CpuTensor, expectFloat, expectType, f32, shapeError, type TensorType } from "./op.ts";

/** What steps there are is for numbers that lie side by side, a multiple of so many: what kernels load of them at a time is within one step. */
export const LEAST_GROUP = 8;

/** As an op sees it. */
export interface Matrix {
  readonly dtype: "f32" | "f16" | "i8";
  readonly shape: Shape;
  /** Of i8: the numbers side by side, of a row, that share a step. */
  readonly group?: number;
}

/**
 * The matrix [R, C] that an op was given as `name`: floating-point numbers, or, with steps f32 [R, C / group], words u32 [R, C / 4], four numbers in
 * each, the first in its lowest bits.
 */
export function matrixOf(op: string, name: string, stored: TensorType, steps: TensorType | undefined): Matrix {
  if (!steps) return { dtype: expectFloat(op, name, stored, [-1, -1]), shape: stored.shape };
  expectType(op, name, stored, "u32", [-1, -1]);
  const [R = 0, words = 0] = stored.shape;
  expectType(op, "steps", steps, "f32", [R, -1]);
  const [C, groups = 0] = [NUMBERS_IN_WORD * words, steps.shape[1]];
  const group = C / groups;
  if (C > 0 && !(group % LEAST_GROUP === 0)) {
    const wanted = `a step for each multiple of ${LEAST_GROUP} of the ${C} numbers of a row`;
    shapeError(op, `steps is ${formatShape(steps.shape)}, wanted ${wanted}`);
  }
  return { dtype: "i8", shape: [R, C], group: C > 0 ? group : LEAST_GROUP };
}

/** Least bytes that are read of it. */
export function matrixBytes({ dtype, shape, group }: Matrix): number {
  return (bytesPerElement(dtype) + (group ? 4 / group : 0)) * sizeOf(shape);
}

/** One of its rows: of a vocabulary a text looks up few. */
export function rowOf(stored: CpuTensor, steps: CpuTensor | undefined, row: number): ArrayLike<number> {
  const part = ({ data, shape: [, columns = 0] }: CpuTensor): NumericArray =>
    data.subarray(row * columns, (row + 1) * columns);
  if (!steps) return part(stored);
  const [words, factors] = [part(stored) as Uint32Array<ArrayBuffer>, part(steps)];
  return restored(words, factors, (NUMBERS_IN_WORD * words.length) / factors.length);
}

/** Its numbers. */
export function elementsOf(stored: CpuTensor, steps: CpuTensor | undefined): ArrayLike<number> {
  if (!steps) return stored.data;
  const group = (NUMBERS_IN_WORD * sizeOf(stored.shape)) / sizeOf(steps.shape);
  return restored(stored.data as Uint32Array<ArrayBuffer>, steps.data, group);
}

/** Such a b, as a case of an op has it: R rows of C, `group` of which share a step. */
export function bytesCase(R: number, C: number, group: number) {
  const b = { dtype: "u32" as const, shape: [R, C / NUMBERS_IN_WORD], high: 2 ** 32 };
  return { b, steps: { ...f32([R, C / group]), scale: 1 / 64 } };
}
