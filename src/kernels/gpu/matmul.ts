import type { FloatDType } from "../../core/dtype.ts";
import { type Dispatch, ofVariant, type Scratch } from "../dispatch.ts";
import { geluAttrs, type MatmulAttrs, matmulOp, productOf } from "../matmul.ts";
import { f32, type TensorType } from "../op.ts";
import type { Product, ProductTypes } from "../product.ts";
import type { Traits } from "../traits.ts";
import { matmulClass } from "../tuning.ts";
import { geluDispatches } from "./gelu.ts";
import { gpuKernel } from "./kernel.ts";
import { type Plan, partialsLength, productDispatches } from "./matmul/dispatches.ts";
import type { Finish } from "./matmul/kernel.ts";
import {
  defaultSplits,
  defaultVariant,
  FEW_ROWS,
  fitVariant,
  matmulVariants,
  variantName,
  variantNamed,
} from "./matmul/variants.ts";

export const matmulGpu = gpuKernel(matmulOp, {
  gpu: ({ a, b, ...rest }, { y }, attrs, traits) => {
    const { activation } = attrs;
    const finish: Finish = { bias: !!rest.bias, residual: !!rest.residual, into: !!rest.into, activation };
    const types = typesOf({ a, b, residual: rest.residual }, attrs);
    const product = { ...productOf(a, b, attrs), types };
    const plan = planOf(product, attrs, traits);
    const dispatchesOf = (of: Product, finish: Finish): Dispatch[] => {
      const dispatches = productDispatches(of, finish, plan, traits);
      return attrs.variant === "auto" ? ofVariant(variantName(plan.variant), dispatches) : dispatches;
    };
    if (!activatedApart(product, attrs, traits)) return dispatchesOf(product, finish);
    const unfinished = { ...product, types: { ...types, y: "f32" as const } };
    const inner = dispatchesOf(unfinished, { ...finish, activation: "linear" }).map((dispatch) => ({
      ...dispatch,
      bind: dispatch.bind.map((binding) => (binding.tensor === "y" ? { ...binding, tensor: "inner" } : binding)),
    }));
    return [...inner, ...geluDispatches("forward", { inner: f32(y.shape), y }, geluAttrs(attrs), traits)];
  },
  scratch: ({ a, b }, attrs, traits) => {
    const product = { ...productOf(a, b, attrs), types: typesOf({ a, b }, attrs) };
    const length = partialsLength(product, planOf(product, attrs, traits), traits);
    const scratch: Record<string, Scratch> = {};
    if (length > 0) scratch.partials = { dtype: "f32", length };
    if (activatedApart(product, attrs, traits))
      scratch.inner = { dtype: "f32", length: product.M * (product.rowY ?? product.N) };
    return scratch;
  },
});

/** Measured on llvmpipe: with 1 to 8 rows a fused activation costs 4 to 10 %, with more it saves 4 to 15 %. */
function activatedApart({ M }: Product, { activation }: MatmulAttrs, { software }: Traits): boolean {
  return activation !== "linear" && software && M <= FEW_ROWS;
}

function typesOf(
  { a, b, residual }: { a: TensorType; b: TensorType; residual?: TensorType | undefined },
  { result }: MatmulAttrs,
): ProductTypes {
  const of = (type: TensorType): FloatDType => (type.dtype === "f16" ? "f16" : "f32");
  return { a: of(a), b: of(b), y: result, ...(residual ? { residual: of(residual) } : {}) };
}

function planOf(product: Product, attrs: MatmulAttrs, traits: Traits): Plan {
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
