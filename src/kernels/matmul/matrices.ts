import { bytesPerElement, type FloatDType } from "../../core/dtype.ts";
import type { SubgroupMatrix, Traits } from "../traits.ts";
import { type Product, typesOf } from "./product.ts";

/** How a variant divides a tile of y: into units, one a subgroup, and each into sums, one a matrix. Rows, then columns. */
export interface MatrixUnits {
  readonly units: readonly [number, number];
  readonly sums: readonly [number, number];
}

/** What shaders/matmul/gpu/matrix_stage.wgsl takes of K at a time. */
export const DEPTH = 32;
/** What subgroups of NVIDIA and Apple have, and what others have too or divide. */
const USUAL_LANES = 32;

/**
 * The matrices that a product is best made of: of f16, summed in f32, where either operand is f16, the other one rounded to it as
 * mixed precision does elsewhere; else of f32, which f16 goes into unchanged. Undefined where the adapter has none of these.
 */
export function matricesFor(product: Product, traits: Traits): SubgroupMatrix | undefined {
  const { a, b } = typesOf(product);
  return ((a === "f16" || b === "f16") && largestMatrix("f16", traits)) || largestMatrix("f32", traits);
}

/** The largest matrices of a type that are summed in f32, in sizes that divide what the shader stages. */
export function largestMatrix(component: FloatDType, { subgroups, subgroupMatrices }: Traits) {
  const usable = subgroupMatrices.filter(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === component && resultComponentType === "f32" && [M, N, K].every(divides),
  );
  if (!subgroups || usable.length === 0) return undefined;
  return usable.reduce((best, one) => (volume(one) > volume(best) ? one : best));
}

/** What of a variant depends on the adapter's matrices. */
export interface MatrixForm {
  readonly tile: readonly [rows: number, columns: number];
  readonly invocations: number;
  /** What its subgroups are made to have, where the adapter lets a kernel say so. */
  readonly subgroupSize: number | undefined;
  readonly workgroupBytes: number;
  readonly sizes: Readonly<Record<string, number>>;
  readonly types: { readonly Component: FloatDType };
}

/** The form that a variant of these units takes for a product on this adapter; undefined where it has no such matrices. */
export function matrixForm({ units, sums }: MatrixUnits, product: Product, traits: Traits): MatrixForm | undefined {
  const matrix = matricesFor(product, traits);
  if (!matrix) return undefined;
  const { M, N, K } = matrix;
  const component: FloatDType = matrix.componentType === "f16" ? "f16" : "f32";
  const [rows, columns] = [units[0] * sums[0] * M, units[1] * sums[1] * N];
  const staged = (rows + columns) * DEPTH;
  const finished = 2 * units[0] * units[1] * M * N;
  const GROUP = invocationsFor(units[0] * units[1], traits);
  const [UNITS_M, UNITS_N, SUMS_M, SUMS_N] = [...units, ...sums];
  return {
    tile: [rows, columns],
    invocations: GROUP,
    subgroupSize: pinnedLanes(traits),
    workgroupBytes: staged * bytesPerElement(component) + finished * bytesPerElement("f32"),
    sizes: { GROUP, UNITS_M, UNITS_N, SUMS_M, SUMS_N, MATRIX_M: M, MATRIX_N: N, MATRIX_K: K },
    types: { Component: component },
  };
}

/** As many as give each unit a subgroup. WebGPU wants a multiple of what a subgroup has at most, and the shader copes with fewer or more. */
export function invocationsFor(units: number, traits: Traits): number {
  const { subgroupMaxSize } = traits;
  return Math.ceil((units * lanesFor(traits)) / subgroupMaxSize) * subgroupMaxSize;
}

/** What subgroups that multiply matrices are made to have, where a kernel may say so: RDNA 3 has 64, too, but only 32 can. */
export function pinnedLanes(traits: Traits): number | undefined {
  return traits.subgroupSizeControl ? lanesFor(traits) : undefined;
}

function lanesFor({ subgroupMinSize, subgroupMaxSize }: Traits): number {
  return Math.min(Math.max(USUAL_LANES, subgroupMinSize), subgroupMaxSize);
}

function divides(size: number): boolean {
  return size > 0 && DEPTH % size === 0 && size % 4 === 0;
}

function volume({ M, N, K }: SubgroupMatrix): number {
  return M * N * K;
}
