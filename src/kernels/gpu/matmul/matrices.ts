import { bytesPerElement, type FloatDType } from "../../../core/dtype.ts";
import { type Product, piecesOf, rowLengths, typesOf } from "../../product.ts";
import type { SubgroupMatrix, Traits } from "../../traits.ts";

/** How a variant divides a tile of y: into units, one a subgroup, and each into sums, one a matrix. Rows, then columns. */
export interface MatrixUnits {
  readonly units: readonly [number, number];
  readonly sums: readonly [number, number];
  /** Where matrices come from: panels in workgroup memory, or a and b themselves. */
  readonly from: "panels" | "operands";
  /** Of panels: what they take of K at a time, `DEPTH` where absent. */
  readonly depth?: number;
  /** Of panels: how many slabs of K there is room for; of two, one is written while the other is multiplied. */
  readonly stages?: 1 | 2;
  /** Panels lie along k whatever operands do: one that does not is transposed on its way. */
  readonly turned?: boolean;
}

/** What kernels take of K at a time, and what its stretches are multiples of: of matrices an even number. */
export const DEPTH = 32;
/** Elements behind a line of a panel, and behind a short panel: see shaders/matmul/gpu/panels.wgsl. */
const GAP = 8;
const EVEN = 32;
/** Operands that matrices are loaded from have rows and starts of whole 16 bytes. */
const WHOLE_ROW = 8;
/** What subgroups of NVIDIA and Apple have, and what others have too or divide. */
export const USUAL_LANES = 32;

/**
 * The matrices that a product is best made of: of f16, summed in f32, where either operand is f16, the other one rounded to it as
 * mixed precision does elsewhere, unless the product is to be exact; else of f32, which f16 goes into unchanged. Undefined where the
 * adapter has none of these.
 */
export function matricesFor(product: Product, traits: Traits): SubgroupMatrix | undefined {
  const { a, b } = typesOf(product);
  const halves = a === b ? a === "f16" : !product.exact;
  return (halves && largestMatrix("f16", traits)) || largestMatrix("f32", traits);
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
export function matrixForm(matrices: MatrixUnits, product: Product, traits: Traits): MatrixForm | undefined {
  const matrix = matricesFor(product, traits);
  if (!matrix) return undefined;
  const { units, sums, from, depth = DEPTH, stages = 1, turned = false } = matrices;
  const { M, N, K } = matrix;
  const component: FloatDType = matrix.componentType === "f16" ? "f16" : "f32";
  const tile = [units[0] * sums[0] * M, units[1] * sums[1] * N] as const;
  if (from === "operands" && !isWhole(product, [sums[0] * M, sums[1] * N, K], traits)) return undefined;
  const held = bytesPerElement(component) * stages;
  const staged =
    from === "operands"
      ? 0
      : held * (panelsOf([units[0], sums[0] * M], depth, K) + panelsOf([units[1], sums[1] * N], depth, K));
  const turn = units[0] * units[1] * M * (N + 4) * bytesPerElement("f32");
  const turns = staged + 2 * turn <= traits.maxWorkgroupBytes ? 2 : 1;
  const GROUP = invocationsFor(units[0] * units[1], traits);
  const [UNITS_M, UNITS_N, SUMS_M, SUMS_N] = [...units, ...sums] as const;
  const [EVEN_A, EVEN_B] = [evenOf(UNITS_M, SUMS_M * M, depth), evenOf(UNITS_N, SUMS_N * N, depth)];
  const panels = { DEPTH: depth, STAGES: stages, TURNED: Number(turned), EVEN_A, EVEN_B };
  return {
    tile,
    invocations: GROUP,
    subgroupSize: pinnedLanes(traits),
    workgroupBytes: staged + turns * turn,
    sizes: {
      ...{ GROUP, UNITS_M, UNITS_N, SUMS_M, SUMS_N, MATRIX_M: M, MATRIX_N: N, MATRIX_K: K, TURNS: turns },
      ...(from === "panels" ? panels : {}),
    },
    types: { Component: component },
  };
}

/** Elements behind a panel of an operand's units: short ones, of 32, begin in different banks with it. Deep ones have no room for it. */
function evenOf(units: number, side: number, depth: number): number {
  return units > 1 && side % (2 * EVEN) === EVEN && depth === DEPTH ? EVEN : 0;
}

/** Elements of an operand's panels, however it lies: lines along k, or along the side of a unit. */
function panelsOf([units, side]: readonly [number, number], depth: number, K: number): number {
  const alongK = units * side * (depth + GAP);
  const across = (depth / K) * units * (K * (side + GAP) + evenOf(units, side, depth));
  return Math.max(alongK, across);
}

/** Whether matrices can be loaded straight from the operands: they are f16, and all sizes are whole multiples. */
function isWhole(product: Product, unit: readonly [number, number, number], traits: Traits): boolean {
  const { a, b } = typesOf(product);
  const { M, N, K } = product;
  const row = rowLengths(product);
  return (
    a === "f16" &&
    b === "f16" &&
    M % unit[0] === 0 &&
    N % unit[1] === 0 &&
    K > 0 &&
    K % Math.max(unit[2], DEPTH) === 0 &&
    row.a % WHOLE_ROW === 0 &&
    row.b % WHOLE_ROW === 0 &&
    piecesOf(product, traits).length === 1
  );
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
  return size > 0 && DEPTH % (2 * size) === 0 && size % 4 === 0;
}

function volume({ M, N, K }: SubgroupMatrix): number {
  return M * N * K;
}
