import { matrixOf } from "../byte-matrix.ts";
import { compiles, type Dispatch, ofVariant, read, renamed, type Scratch } from "../dispatch.ts";
import { type MatmulAttrs, PLAIN_MATMUL } from "../matmul.ts";
import { type NormalizedMatmulAttrs, normalizedMatmulOp, normScratch, productOf } from "../normalized-matmul.ts";
import { f32, type TensorType } from "../op.ts";
import { type Product, piecesOf } from "../product.ts";
import type { Traits } from "../traits.ts";
import { gpuKernel } from "./kernel.ts";
import { layerNormGpu } from "./layer-norm.ts";
import { partialsLength, productDispatches } from "./matmul/dispatches.ts";
import type { Finish } from "./matmul/kernel.ts";
import { defaultSplits, defaultVariant, FEW_ROWS, type MatmulVariant } from "./matmul/variants.ts";
import { matmulGpu } from "./matmul.ts";

export const normalizedMatmulGpu = gpuKernel(normalizedMatmulOp, {
  gpu: ({ a, b, steps, shift, bias }, { y }, attrs, traits) => {
    const product = productOf(a, matrixOf("normalizedMatmul", "b", b, steps));
    const variant = togetherBy(product, attrs, traits);
    if (!variant)
      return [...normDispatches(a, shift, attrs, traits), ...afterNorm({ a, b, steps, bias, y }, attrs, traits)];
    const finish: Finish = { bias: !!bias, residual: false, into: false, activation: attrs.activation };
    const plan = { variant, splits: defaultSplits(product, variant, traits) };
    const dispatches = productDispatches(product, finish, plan, traits).map((dispatch) =>
      dispatch.entry === "matmul" ? normalizing(dispatch, !!shift, attrs) : dispatch,
    );
    return attrs.variant === "auto" ? ofVariant(TOGETHER, dispatches) : dispatches;
  },
  scratch: ({ a, b, steps, bias }, attrs, traits) => {
    const product = productOf(a, matrixOf("normalizedMatmul", "b", b, steps));
    const variant = togetherBy(product, attrs, traits);
    if (variant) {
      const length = partialsLength(product, { variant, splits: defaultSplits(product, variant, traits) }, traits);
      const scratch: Record<string, Scratch> = {};
      if (length > 0) scratch.partials = { dtype: "f32", length };
      return scratch;
    }
    return {
      ...matmulGpu.scratch?.(
        { a, b, ...(bias ? { bias } : {}), ...(steps ? { steps } : {}) },
        productAttrs(attrs),
        traits,
      ),
      ...normScratch(a),
    };
  },
});

function productAttrs({ activation }: NormalizedMatmulAttrs): MatmulAttrs {
  return { ...PLAIN_MATMUL, activation, exact: true };
}

/** What dispatches call it: where it does not compile, the two go apart. */
const TOGETHER = "normalizedMatmul together";

/** Of workgroup memory, that shaders/matmul/gpu/normalized_a.wgsl has for a row. */
const NORM_BYTES = 16;

/** What normalises and multiplies in one dispatch; undefined where that has to be two, or should be. */
function togetherBy(product: Product, { variant }: NormalizedMatmulAttrs, traits: Traits): MatmulVariant | undefined {
  const { M, K } = product;
  if (variant === "apart" || (variant === "auto" && (traits.software || !compiles(TOGETHER, traits)))) return undefined;
  if (M > FEW_ROWS || K === 0 || K % 4 !== 0 || piecesOf(product, traits).length !== 1) return undefined;
  const found = defaultVariant(product, { ...traits, software: false });
  const bytes = found.workgroupBytes + NORM_BYTES * found.tile[0];
  if (product.types?.b === "f16" && !traits.f16 && found.reads !== "eights") return undefined;
  if (product.types?.b === "i8" && found.reads !== "eights") return undefined;
  if (!found.rowsAlone || bytes > traits.maxWorkgroupBytes) return undefined;
  const library = found.library.map((name) => (name === "matmul/gpu/plain_a" ? "matmul/gpu/normalized_a" : name));
  return { ...found, library };
}

/** The dispatch of a product whose a is normalised on the way. */
function normalizing(dispatch: Dispatch, shifted: boolean, { epsilon }: NormalizedMatmulAttrs): Dispatch {
  const { bind, sizes = {}, constants = {} } = dispatch;
  const { COLUMN_LANES = 0, K_LANES = 0 } = sizes;
  return {
    ...dispatch,
    sizes: { ...sizes, GROUP: COLUMN_LANES * K_LANES, GAIN: bind.length, SHIFT: bind.length + 1 },
    constants: { ...constants, EPSILON: epsilon, HAS_SHIFT: Number(shifted) },
    bind: [...bind, read("gain"), read(shifted ? "shift" : "gain")],
  };
}

function normDispatches(
  a: TensorType,
  shift: TensorType | undefined,
  { epsilon }: NormalizedMatmulAttrs,
  traits: Traits,
): readonly Dispatch[] {
  const rows = f32([a.shape[0] ?? 0]);
  const inputs = { x: a, gain: f32([a.shape[1] ?? 0]), ...(shift ? { bias: shift } : {}) };
  const dispatches = layerNormGpu.gpu(
    inputs,
    { y: f32(a.shape), mean: rows, rstd: rows },
    { epsilon, variant: "auto", result: "f32" },
    traits,
  );
  return renamed(dispatches, { x: "a", bias: "shift", y: "normal" });
}

function afterNorm(
  {
    a,
    b,
    steps,
    bias,
    y,
  }: Readonly<Record<"a" | "b" | "y", TensorType> & Record<"steps" | "bias", TensorType | undefined>>,
  attrs: NormalizedMatmulAttrs,
  traits: Traits,
): readonly Dispatch[] {
  const inputs = { a: f32(a.shape), b, ...(bias ? { bias } : {}), ...(steps ? { steps } : {}) };
  return renamed(matmulGpu.gpu(inputs, { y }, productAttrs(attrs), traits), { a: "normal" });
}
