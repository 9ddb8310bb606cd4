import { formatShape, sizeOf } from "../core/shape.ts";
import { type Binding, compiles, type Dispatch, ofVariant, read, type Scratch } from "./dispatch.ts";
import { geluAt } from "./gelu.ts";
import { layerNormOp } from "./layer-norm.ts";
import { partialsLength, productDispatches } from "./matmul/dispatches.ts";
import type { Activation, Finish } from "./matmul/kernel.ts";
import { type Product, piecesOf } from "./matmul/product.ts";
import { defaultSplits, defaultVariant, FEW_ROWS, type MatmulVariant } from "./matmul/variants.ts";
import { wasmProduct } from "./matmul/wasm.ts";
import { type MatmulAttrs, matmulOp, PLAIN_MATMUL } from "./matmul.ts";
import { defineOp, expectType, f32, shapeError, type TensorType, type Value } from "./op.ts";
import type { Traits } from "./traits.ts";
import { at, eachRow, real, type WasmArg } from "./wasm.ts";

export interface NormalizedMatmulAttrs {
  /** Added to the variance. */
  readonly epsilon: number;
  readonly activation: Activation;
  /** One dispatch, "together"; or a LayerNorm and a product, "apart"; or whichever suits the adapter and the sizes. */
  readonly variant: "auto" | "together" | "apart";
}

const DEFAULTS: NormalizedMatmulAttrs = { epsilon: 1e-5, activation: "linear", variant: "auto" };

/**
 * y = activation(layerNorm(a) b + bias), layerNorm(a) = (a - mean) rstd gain + shift row by row: what decoding has between two residual
 * connections, where each dispatch costs more than what it computes.
 * a: [M, K]; gain, shift: [K]; b: [K, N]; bias: [N]; y: [M, N]. f32. No gradient: training keeps what LayerNorm gives.
 */
export const normalizedMatmulOp = defineOp({
  name: "normalizedMatmul",
  inputs: ["a", "gain", "b"],
  optional: ["shift", "bias"],
  outputs: ["y"],
  attrs: DEFAULTS,
  shapes: ({ a, gain, b, shift, bias }) => {
    const { M, N, K } = productOf(a, b);
    expectType("normalizedMatmul", "a", a, "f32", [-1, -1]);
    expectType("normalizedMatmul", "b", b, "f32", [-1, -1]);
    if (b.shape[0] !== K)
      shapeError("normalizedMatmul", `inner sizes differ, a ${formatShape(a.shape)}, b ${formatShape(b.shape)}`);
    expectType("normalizedMatmul", "gain", gain, "f32", [K]);
    if (shift) expectType("normalizedMatmul", "shift", shift, "f32", [K]);
    if (bias) expectType("normalizedMatmul", "bias", bias, "f32", [N]);
    return { y: f32([M, N]) };
  },
  cpu: ({ a, gain, b, shift, bias }, { y }, { epsilon, activation }) => {
    const { M, N, K } = productOf(a, b);
    // As LayerNorm leaves it.
    const normal = a.data instanceof Float64Array ? new Float64Array(K) : new Float32Array(K);
    const row = new Float64Array(N);
    for (let m = 0; m < M; m++) {
      let sum = 0;
      for (let k = 0; k < K; k++) sum += a.data[m * K + k]!;
      const mean = sum / K;
      let square = 0;
      for (let k = 0; k < K; k++) square += (a.data[m * K + k]! - mean) ** 2;
      const rstd = 1 / Math.sqrt(square / K + epsilon);
      for (let k = 0; k < K; k++)
        normal[k] = (a.data[m * K + k]! - mean) * rstd * gain.data[k]! + (shift?.data[k] ?? 0);
      row.fill(0);
      for (let k = 0; k < K; k++) for (let n = 0; n < N; n++) row[n]! += normal[k]! * b.data[k * N + n]!;
      for (let n = 0; n < N; n++) {
        const x = row[n]! + (bias?.data[n] ?? 0);
        y.data[m * N + n] = activation === "linear" ? x : geluAt(x, activation === "gelu" ? "none" : "tanh");
      }
    }
  },
  gpu: ({ a, b, shift, bias }, { y }, attrs, traits) => {
    const product = productOf(a, b);
    const variant = togetherBy(product, attrs, traits);
    if (!variant) return [...normDispatches(a, shift, attrs, traits), ...afterNorm(a, b, bias, y, attrs, traits)];
    const finish: Finish = { bias: !!bias, residual: false, into: false, activation: attrs.activation };
    const plan = { variant, splits: defaultSplits(product, variant, traits) };
    const dispatches = productDispatches(product, finish, plan, traits).map((dispatch) =>
      dispatch.entry === "matmul" ? normalizing(dispatch, !!shift, attrs) : dispatch,
    );
    return attrs.variant === "auto" ? ofVariant(TOGETHER, dispatches) : dispatches;
  },
  wasm: ({ a, b, shift, bias }, _outputs, { epsilon, activation }) => {
    const { M, K } = productOf(a, b);
    const norm = [at("a"), at("gain"), shift ? at("shift") : 0, at("normal"), at("mean"), at("rstd"), real(epsilon)];
    const product = wasmProduct(productOf(a, b), { prior: undefined, bias: !!bias, activation });
    return {
      calls: [
        eachRow("layerNorm", M, K, norm),
        ...product.calls.map((call) => ({ ...call, args: call.args.map(fromNormal) })),
      ],
      scratch: { ...product.scratch, ...normScratch(a) },
    };
  },
  scratch: ({ a, b, bias }, attrs, traits) => {
    const product = productOf(a, b);
    const variant = togetherBy(product, attrs, traits);
    if (variant) {
      const length = partialsLength(product, { variant, splits: defaultSplits(product, variant, traits) }, traits);
      const scratch: Record<string, Scratch> = {};
      if (length > 0) scratch.partials = { dtype: "f32", length };
      return scratch;
    }
    return {
      ...matmulOp.scratch?.({ a, b, ...(bias ? { bias } : {}) }, productAttrs(attrs), traits),
      ...normScratch(a),
    };
  },
  cost: ({ a, b }, { y }) => {
    const { M, N, K } = productOf(a, b);
    return { flops: 2 * M * N * K + 8 * M * K, bytes: 4 * (sizeOf(a.shape) + sizeOf(b.shape) + sizeOf(y.shape)) };
  },
  cases: [
    { inputs: { a: f32([3, 8]), gain: f32([8]), b: f32([8, 5]), shift: f32([8]), bias: f32([5]) } },
    { inputs: { a: f32([2, 7]), gain: f32([7]), b: f32([7, 4]) } },
    ...(["together", "apart"] as const).flatMap((variant) => [
      {
        inputs: { a: f32([1, 12]), gain: f32([12]), b: f32([12, 40]), shift: f32([12]), bias: f32([40]) },
        attrs: { variant },
      },
      {
        inputs: { a: f32([7, 16]), gain: f32([16]), b: f32([16, 9]), shift: f32([16]), bias: f32([9]) },
        attrs: { variant, activation: "gelu_new" as const },
      },
      { inputs: { a: f32([5, 8]), gain: f32([8]), b: f32([8, 12]) }, attrs: { variant, activation: "gelu" as const } },
    ]),
  ],
});

/** What `normalizedMatmul` may be told besides its operands. */
export interface NormalizedMatmulOptions extends Partial<NormalizedMatmulAttrs> {
  readonly shift?: Value | undefined;
  readonly bias?: Value | undefined;
}

/** See `normalizedMatmulOp`. */
export function normalizedMatmul(
  a: Value,
  gain: Value,
  b: Value,
  { shift, bias, ...attrs }: NormalizedMatmulOptions = {},
): Value {
  return normalizedMatmulOp.apply({ a, gain, b, shift, bias }, attrs).y;
}

function productOf(a: TensorType, b: TensorType): Product {
  const [M = 0, K = 0] = a.shape;
  return { M, N: b.shape[1] ?? 0, K, transposeA: false, transposeB: false };
}

/** What LayerNorm gives, where it is apart. */
function normScratch({ shape }: TensorType): Readonly<Record<"normal" | "mean" | "rstd", Scratch>> {
  const rows: Scratch = { dtype: "f32", length: shape[0] ?? 0 };
  return { normal: { dtype: "f32", length: sizeOf(shape) }, mean: rows, rstd: rows };
}

function fromNormal(arg: WasmArg): WasmArg {
  return typeof arg === "object" && "tensor" in arg && arg.tensor === "a" ? { ...arg, tensor: "normal" } : arg;
}

function productAttrs({ activation }: NormalizedMatmulAttrs): MatmulAttrs {
  return { ...PLAIN_MATMUL, activation };
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
  if (!found.rowsAlone || bytes > traits.maxWorkgroupBytes) return undefined;
  return { ...found, library: ["matmul/block", "matmul/place", "matmul/gpu/normalized_a"] };
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
  const dispatches = layerNormOp.gpu(
    inputs,
    { y: f32(a.shape), mean: rows, rstd: rows },
    { epsilon, variant: "auto", result: "f32" },
    traits,
  );
  return renamed(dispatches, { x: "a", bias: "shift", y: "normal" });
}

function afterNorm(
  a: TensorType,
  b: TensorType,
  bias: TensorType | undefined,
  y: TensorType,
  attrs: NormalizedMatmulAttrs,
  traits: Traits,
): readonly Dispatch[] {
  const inputs = { a: f32(a.shape), b, ...(bias ? { bias } : {}) };
  return renamed(matmulOp.gpu(inputs, { y }, productAttrs(attrs), traits), { a: "normal" });
}

/** The same of an op whose tensors have other names. */
function renamed(dispatches: readonly Dispatch[], names: Readonly<Record<string, string>>): readonly Dispatch[] {
  const rename = (binding: Binding): Binding => ({ ...binding, tensor: names[binding.tensor] ?? binding.tensor });
  return dispatches.map((dispatch) => ({ ...dispatch, bind: dispatch.bind.map(rename) }));
}
