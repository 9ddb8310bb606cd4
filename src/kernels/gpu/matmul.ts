import type { FloatDType } from "../../core/dtype.ts";
import { sizeOf } from "../../core/shape.ts";
import { type Matrix, matrixOf } from "../byte-matrix.ts";
import { type Dispatch, grid1d, ofVariant, read, renamed, type Scratch, spansOf, write } from "../dispatch.ts";
import { geluAttrs, type MatmulAttrs, matmulOp, productOf } from "../matmul.ts";
import { f32, type TensorType } from "../op.ts";
import type { Product, ProductTypes } from "../product.ts";
import type { Traits } from "../traits.ts";
import { matmulClass } from "../tuning.ts";
import { byteSpans } from "./byte-spans.ts";
import { geluDispatches } from "./gelu.ts";
import { gpuKernel } from "./kernel.ts";
import { type Plan, partialsLength, productDispatches } from "./matmul/dispatches.ts";
import type { Finish } from "./matmul/kernel.ts";
import {
  defaultSplits,
  defaultVariant,
  FEW_ROWS,
  fitVariant,
  type MatmulVariant,
  matmulVariants,
  readsBytes,
  variantName,
  variantNamed,
} from "./matmul/variants.ts";

export const matmulGpu = gpuKernel(matmulOp, {
  gpu: ({ a, b, ...rest }, { y }, attrs, traits) => {
    const { activation } = attrs;
    const { bias, residual, into, slope, steps } = rest;
    const finish: Finish = { bias: !!bias, residual: !!residual, into: !!into, activation, slope: !!slope };
    const { product, plan, widens } = workOf({ a, b, residual, slope, steps }, attrs, traits);
    const dispatchesOf = (of: Product, finish: Finish): Dispatch[] => {
      const dispatches = plannedDispatches(of, finish, plan, attrs, traits);
      return widens ? [...widenDispatches(b, steps, traits), ...renamed(dispatches, { b: "wide" })] : dispatches;
    };
    if (slope || !activatedApart(product, attrs, traits)) return dispatchesOf(product, finish);
    const unfinished = { ...product, types: { ...product.types, y: "f32" as const } };
    const inner = renamed(dispatchesOf(unfinished, { ...finish, activation: "linear" }), { y: "inner" });
    return [...inner, ...geluDispatches("forward", { inner: f32(y.shape), y }, geluAttrs(attrs), traits)];
  },
  scratch: ({ a, b, slope, steps }, attrs, traits) => {
    const { product, plan, widens } = workOf({ a, b, slope, steps }, attrs, traits);
    const length = partialsLength(product, plan, traits);
    const scratch: Record<string, Scratch> = {};
    if (widens) scratch.wide = { dtype: "f32", length: product.N * product.K };
    if (length > 0) scratch.partials = { dtype: "f32", length };
    if (!slope && activatedApart(product, attrs, traits))
      scratch.inner = { dtype: "f32", length: product.M * (product.rowY ?? product.N) };
    return scratch;
  },
});

/** Measured on llvmpipe: with 1 to 8 rows a fused activation costs 4 to 10 %, with more it saves 4 to 15 %. */
function activatedApart({ M }: Product, { activation }: MatmulAttrs, { software }: Traits): boolean {
  return activation !== "linear" && software && M <= FEW_ROWS;
}

interface Operands {
  readonly a: TensorType;
  readonly b: TensorType;
  readonly residual?: TensorType | undefined;
  readonly slope?: TensorType | undefined;
  readonly steps?: TensorType | undefined;
}

/**
 * What is computed, and how. Numbers of 8 bits, and of f16 where the adapter has none, are read out of words, or if the product
 * is none of those that do so, b is widened first.
 */
function workOf(
  operands: Operands,
  attrs: MatmulAttrs,
  traits: Traits,
): { readonly product: Product & { readonly types: ProductTypes }; readonly plan: Plan; readonly widens: boolean } {
  const b = matrixOf("matmul", "b", operands.b, operands.steps);
  const types = { ...typesOf(operands, attrs), b: b.dtype };
  const product = { ...productOf(operands.a, b, attrs), types };
  const plan = planOf(product, attrs, traits);
  if (types.b === "f32" || readsWords(product, plan.variant, traits)) return { product, plan, widens: false };
  const wide = { ...product, types: { ...types, b: "f32" as const } };
  return { product: wide, plan: planOf(wide, attrs, traits), widens: true };
}

/** Whether b is read as it is stored, and should be: GPUs multiply many rows in ways that none of those are who read words. */
function readsWords(product: Product, variant: MatmulVariant, traits: Traits): boolean {
  if (product.types?.b === "f16") return traits.f16 || variant.reads === "eights";
  return readsBytes(variant) && (traits.software || product.M <= FEW_ROWS);
}

/** wide = b, out of words. */
function widenDispatches(b: TensorType, steps: TensorType | undefined, traits: Traits): Dispatch[] {
  const { shape } = b;
  if (steps) return widenBytes(matrixOf("matmul", "b", b, steps), traits);
  return spansOf(sizeOf(shape), traits, 1, ["f16", "f32"]).map((span) => ({
    shader: ["lib/grid", "gpu/widen"],
    entry: "widen",
    uniforms: { N: span.length },
    bind: [read("b", span), write("wide", span)],
    grid: grid1d(Math.ceil(span.length / 2), WIDEN_GROUP, traits),
  }));
}

function widenBytes(matrix: Matrix, traits: Traits): Dispatch[] {
  return byteSpans(matrix, traits, true).map(({ words, steps, numbers }) => ({
    shader: ["lib/grid", "lib/bytes", "gpu/widen_bytes"],
    entry: "widen",
    sizes: { SHARED: matrix.group ?? 0 },
    uniforms: { N: words.length },
    bind: [read("b", words), read("steps", steps), write("wide", numbers)],
    grid: grid1d(words.length, WIDEN_GROUP, traits),
  }));
}

const WIDEN_GROUP = 64;

export function typesOf({ a, b, residual, slope }: Operands, { result }: MatmulAttrs): ProductTypes {
  const of = (type: TensorType): FloatDType => (type.dtype === "f16" ? "f16" : "f32");
  const added = { ...(residual ? { residual: of(residual) } : {}), ...(slope ? { slope: of(slope) } : {}) };
  return { a: of(a), b: of(b), y: result, ...added };
}

/** The dispatches of a planned product, which bear the variant's name where it was not asked for. */
export function plannedDispatches(
  product: Product,
  finish: Finish,
  plan: Plan,
  { variant }: MatmulAttrs,
  traits: Traits,
): Dispatch[] {
  const dispatches = productDispatches(product, finish, plan, traits);
  return variant === "auto" ? ofVariant(variantName(plan.variant), dispatches) : dispatches;
}

export function planOf(product: Product, attrs: MatmulAttrs, traits: Traits): Plan {
  if (attrs.variant === "auto" && attrs.splits === 0) {
    const tuned = traits.tuning?.matmul[matmulClass(product)];
    const known = tuned && matmulVariants.find(({ name }) => name === tuned.variant);
    const variant = known && fitVariant(known, product, traits);
    if (tuned && variant) return { variant, splits: tuned.splits };
  }
  const wanted = attrs.variant === "auto" ? undefined : variantNamed(attrs.variant);
  const variant = (wanted && fitVariant(wanted, product, traits)) ?? defaultVariant(product, traits);
  return { variant, splits: attrs.splits || defaultSplits(product, variant, traits) };
}
