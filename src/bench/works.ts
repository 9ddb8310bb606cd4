import { type FloatDType, isFloat, type NumericArray } from "../core/dtype.ts";
import { adamwOp } from "../kernels/adamw.ts";
import { attentionOp } from "../kernels/attention.ts";
import { columnSumOp } from "../kernels/column-sum.ts";
import { crossEntropyOp } from "../kernels/cross-entropy.ts";
import { dropoutOp } from "../kernels/dropout.ts";
import { embeddingOp } from "../kernels/embedding.ts";
import { geluOp } from "../kernels/gelu.ts";
import { matricesFor } from "../kernels/gpu/attention/matrices.ts";
import { TILE_CHOICES, tileForm } from "../kernels/gpu/attention/tiles.ts";
import { fitVariant, matmulVariants, mayWin } from "../kernels/gpu/matmul/variants.ts";
import { gradientNormOp } from "../kernels/gradient-norm.ts";
import { layerNormOp } from "../kernels/layer-norm.ts";
import { type MatmulAttrs, matmulOp } from "../kernels/matmul.ts";
import { type AnyOp, f32 } from "../kernels/op.ts";
import { ALL_F32, type ProductTypes } from "../kernels/product.ts";
import { packStep, STEP } from "../kernels/step.ts";
import type { Traits } from "../kernels/traits.ts";
import { exactly, type Filled, type Inputs, ids, orderOf, positive, spread } from "./data.ts";
import type { OpWork, Sample } from "./op-work.ts";

/** A model and a batch, as far as its kernels' shapes go. */
export interface KernelShapes {
  readonly name: string;
  /** Records, tokens of a record, channels, heads, vocabulary, and rows of logits that exist at one time. */
  readonly B: number;
  readonly T: number;
  readonly C: number;
  readonly H: number;
  readonly V: number;
  readonly rows: number;
}

/** nanoGPT's CPU recipe, and GPT-2 124M with one record of its full context. */
export const SHAPES: readonly KernelShapes[] = [
  { name: "nanogpt", B: 12, T: 64, C: 128, H: 4, V: 65, rows: 768 },
  { name: "gpt2", B: 1, T: 1024, C: 768, H: 12, V: 50257, rows: 320 },
];

export const SQUARES = [512, 1024, 2048, 4096] as const;

/** Rows of a product that are compared with the reference: a sum of float64 for each of their elements is enough to wait for. */
const SAMPLED_ROWS = 5;

/** Every op at the shapes that it has in a training step of this model. */
export function opWorks({ name, B, T, C, H, V, rows }: KernelShapes): OpWork[] {
  const N = B * T;
  // Those of a block: of a whole GPT-2 they are half a gigabyte, at the same bytes a second.
  const parameters = 12 * C * C;
  const tokens = ids(N, V, 20);
  const step = packStep({ seed: 1, step: 3, learningRate: 1e-3, lossScale: 1 / N, betas: [0.9, 0.95] });
  const of = (what: string, work: Omit<OpWork, "work">): OpWork => ({ work: `${what}, ${name}`, ...work });
  const product = (what: string, m: number, n: number, k: number, attrs: object = {}): OpWork => ({
    ...matmulWork(m, n, k, attrs),
    work: `matmul ${what} ${m} ${n} ${k}, ${name}`,
  });
  return [
    product("qkv", N, 3 * C, C),
    product("qkv dx", N, C, 3 * C, { transposeB: true }),
    product("qkv dw", C, 3 * C, N, { transposeA: true }),
    product("mlp in", N, 4 * C, C),
    product("mlp out", N, C, 4 * C),
    product("logits", rows, V, C, { transposeB: true }),
    product("one token", 1, 3 * C, C),
    of(`attention B${B} T${T} H${H}`, attentionWork(B, T, C, H)),
    of(`attention and gradient B${B} T${T} H${H}`, { ...attentionWork(B, T, C, H), gradient: true }),
    of(`layerNorm ${N} ${C}`, layerNormWork(N, C)),
    of(`layerNorm and gradient ${N} ${C}`, { ...layerNormWork(N, C), gradient: true }),
    of(`gelu ${N} ${4 * C}`, { op: any(geluOp), inputs: { x: spread([N, 4 * C], 1) } }),
    of(`gelu and gradient ${N} ${4 * C}`, { op: any(geluOp), inputs: { x: spread([N, 4 * C], 1) }, gradient: true }),
    of(`crossEntropy and gradient ${rows} ${V}`, {
      op: any(crossEntropyOp),
      inputs: { logits: spread([rows, V], 1, 3), labels: ids(rows, V, 2, "i32") },
      gradient: true,
    }),
    of(`embedding and gradient ${N} of ${V}`, {
      op: any(embeddingOp),
      inputs: { ids: tokens, table: spread([V, C], 2), order: orderOf(tokens) },
      gradient: true,
    }),
    of(`dropout ${N} ${C}`, {
      op: any(dropoutOp),
      inputs: { x: spread([N, C], 1), step: exactly(STEP, step) },
      attrs: { rate: 0.1 },
    }),
    of(`columnSum ${N} ${4 * C}`, { op: any(columnSumOp), inputs: { x: spread([N, 4 * C], 1) } }),
    of(`gradientNorm ${parameters}`, {
      op: any(gradientNormOp),
      inputs: { gradients: spread([parameters], 1), loss: spread([1], 2) },
    }),
    of(`adamw ${parameters}`, {
      op: any(adamwOp),
      inputs: {
        parameters: spread([parameters], 1),
        gradients: spread([parameters], 2),
        m: spread([parameters], 3),
        v: positive([parameters], 4),
        step: exactly(STEP, step),
        stats: exactly(f32([4]), Float32Array.of(1, 1, 1, 0)),
      },
      attrs: { decayed: parameters, weightDecay: 0.1 },
    }),
  ];
}

export function squareWork(size: number, type: FloatDType = "f32"): OpWork {
  return { ...matmulWork(size, size, size, {}, allOf(type)), work: `matmul ${size}${suffix(type)}` };
}

/**
 * Every way to compute what this adapter can run in several, the slow ones too: what the choice is worth. Attention has GPT-2's sizes
 * on a GPU; on software drivers, which compile heads of 64 in registers for minutes, nanoGPT's.
 */
export function variantWorks(size: number, traits: Traits, type: FloatDType = "f32"): OpWork[] {
  const types = allOf(type);
  const square = { M: size, N: size, K: size, transposeA: false, transposeB: false, types };
  const products = matmulVariants
    .filter((variant) => fitVariant(variant, square, traits))
    .map(({ name: variant }) => ({
      ...matmulWork(size, size, size, { variant }, types),
      work: `matmul ${size}${suffix(type)}, ${variant}`,
    }));
  const { B, T, C, H } = SHAPES[traits.software ? 0 : 1]!;
  // The widest and the narrowest product of a token, whose workgroups are few.
  const tokens = traits.software || type !== "f32" ? [] : TOKEN_SHAPES.flatMap(([n, k]) => tokenWorks(n, k, traits));
  const attentions = (["rows", "quads", "panels", "products"] as const).map((variant) => ({
    ...attentionWork(B, T, C, H, variant, type),
    work: `attention and gradient B${B} T${T} H${H}${suffix(type)}, ${variant}`,
    gradient: true,
  }));
  const batched = traits.software ? [] : batchedAttentions(type, traits);
  return [...products, ...tokens, ...attentions, ...batched];
}

/** What a GPU may choose for a training step of GPT-2, by itself and with its gradient. */
function batchedAttentions(type: FloatDType, traits: Traits): OpWork[] {
  const { T, C, H } = SHAPES[1]!;
  const [B, sizes] = [4, { T, D: C / H, dtype: type }];
  const tiles = TILE_CHOICES.filter((name) => tileForm(name, sizes, traits));
  const variants = ["quads", ...matricesFor(sizes, traits), ...tiles] as const;
  return variants.flatMap((variant) =>
    [false, true].map((gradient) => ({
      ...attentionWork(B, T, C, H, variant, type),
      work: `attention${gradient ? " and gradient" : ""} B${B} T${T} H${H}${suffix(type)}, ${variant}`,
      gradient,
    })),
  );
}

/** Columns and K. */
const TOKEN_SHAPES = [
  [2304, 768],
  [768, 3072],
] as const;

function tokenWorks(n: number, k: number, traits: Traits): OpWork[] {
  const product = { M: 1, N: n, K: k, transposeA: false, transposeB: false };
  return matmulVariants
    .filter((variant) => mayWin(variant, traits) && !variant.matrices && fitVariant(variant, product, traits))
    .flatMap(({ name: variant }) =>
      [1, 4].map((splits) => ({
        ...matmulWork(1, n, k, { variant, splits }),
        work: `matmul one token 1 ${n} ${k}, ${variant}${splits > 1 ? `, K in ${splits}` : ""}`,
      })),
    );
}

/** Products of GPT-2's block at 4 records of its whole context, forward and both gradients: by every variant that is meant for GPUs. */
export function blockWorks(traits: Traits, type: FloatDType = "f32"): OpWork[] {
  const { T, C } = SHAPES[1]!;
  const N = 4 * T;
  const forms = [
    { what: "NN", sizes: [N, C, C], attrs: {} },
    { what: "NN", sizes: [N, 4 * C, C], attrs: {} },
    { what: "NN", sizes: [N, C, 4 * C], attrs: {} },
    { what: "NT", sizes: [N, C, 4 * C], attrs: { transposeB: true } },
    { what: "TN", sizes: [C, 4 * C, N], attrs: { transposeA: true } },
  ] as const;
  return forms.flatMap(({ what, sizes: [m, n, k], attrs }) => {
    const product = { M: m, N: n, K: k, transposeA: false, transposeB: false, ...attrs };
    const types = { a: type, b: type, y: type };
    const fitting = matmulVariants.filter(
      (variant) => variant.wing === "gpu" && !variant.rowsAlone && fitVariant(variant, { ...product, types }, traits),
    );
    // Beside matrix units all else is many times slower.
    const onUnits = fitting.filter(({ matrices }) => matrices);
    const names = (onUnits.length > 0 ? onUnits : fitting).map(({ name }) => name);
    return ["auto", ...names].map((variant) => ({
      ...matmulWork(m, n, k, { ...attrs, variant }, types),
      work: `matmul block ${what} ${m} ${n} ${k}${suffix(type)}, ${variant}`,
    }));
  });
}

function allOf(type: FloatDType): ProductTypes {
  return { a: type, b: type, y: type };
}

function suffix(type: FloatDType): string {
  return type === "f16" ? " f16" : "";
}

export function matmulWork(
  m: number,
  n: number,
  k: number,
  given: Partial<MatmulAttrs>,
  types: ProductTypes = ALL_F32,
): OpWork {
  const attrs = { ...given, result: types.y };
  if (types.b === "i8") throw new Error("a product of whole numbers is timed as part of generation");
  // Matrix units round an operand of f32 beside one of f16: its numbers are such that nothing is rounded.
  const held = types.a === "f16" || types.b === "f16" ? "f16" : "f32";
  const a = { ...spread(attrs.transposeA ? [k, m] : [m, k], 1, 1, held), dtype: types.a };
  const b = { ...spread(attrs.transposeB ? [n, k] : [k, n], 2, 1, held), dtype: types.b };
  return {
    work: "",
    op: any(matmulOp),
    inputs: { a, b },
    attrs,
    sample: (inputs) => sampleRows(inputs, attrs, m, n, k),
  };
}

/** A few rows of op(a), so that the reference computes those rows of y. */
function sampleRows(inputs: Inputs, attrs: Partial<MatmulAttrs>, m: number, n: number, k: number): Sample {
  const count = Math.min(SAMPLED_ROWS, m);
  const chosen = Array.from({ length: count }, (_, i) => Math.floor((i * (m - 1)) / Math.max(1, count - 1)));
  const { data } = inputs.a!;
  const a = new Float32Array(count * k);
  chosen.forEach((row, i) => {
    for (let j = 0; j < k; j++) a[i * k + j] = data[attrs.transposeA ? j * m + row : row * k + j]!;
  });
  return {
    inputs: { ...inputs, a: { dtype: inputs.a!.dtype, shape: [count, k], data: a } },
    attrs: { ...attrs, transposeA: false },
    pick: (_name, y) => Float32Array.from(chosen.flatMap((row) => [...y.subarray(row * n, (row + 1) * n)])),
  };
}

export function attentionWork(
  B: number,
  T: number,
  C: number,
  H: number,
  variant = "auto",
  dtype: FloatDType = "f32",
): Omit<OpWork, "work"> {
  const lengths = exactly({ dtype: "u32", shape: [B] }, new Uint32Array(B).fill(T));
  const D = C / H;
  // Records and heads do not see each other: the last record's last head stands for all. A row is C wide, or q | k | v.
  const lastHead = (data: NumericArray): Float32Array<ArrayBuffer> => {
    const parts = data.length / (B * T * C);
    const head = new Float32Array(T * parts * D);
    for (let t = 0; t < T; t++) {
      for (let part = 0; part < parts; part++) {
        const from = (((B - 1) * T + t) * parts + part + 1) * C - D;
        head.set(data.subarray(from, from + D), (t * parts + part) * D);
      }
    }
    return head;
  };
  const sampled = ({ dtype, shape, data }: Filled): Filled => {
    if (!isFloat(dtype)) return { dtype, shape: [1], data: data.slice(B - 1) };
    return { dtype, shape: [T, (shape[1]! / C) * D], data: lastHead(data) };
  };
  return {
    op: any(attentionOp),
    inputs: { qkv: spread([B * T, 3 * C], 1, 1, dtype), lengths },
    attrs: { batch: B, heads: H, variant },
    sample: (inputs) => ({
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, sampled(input)])),
      attrs: { batch: 1, heads: 1 },
      pick: (_name, data) => lastHead(data),
    }),
  };
}

function layerNormWork(rows: number, columns: number): Omit<OpWork, "work"> {
  return {
    op: any(layerNormOp),
    inputs: { x: spread([rows, columns], 1), gain: spread([columns], 2), bias: spread([columns], 3) },
  };
}

/** The bench, like the tape, does not care what an op's names are. */
function any(op: unknown): AnyOp {
  return op as AnyOp;
}
