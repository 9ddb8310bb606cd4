import type { DType, FloatDType } from "../core/dtype.ts";
import { rowsAndColumns, sizeOf } from "../core/shape.ts";
import { columnGroups, sumsColumnsAtOnce } from "./column-sum.ts";
import {
  type Dispatch,
  grid1d,
  gridOf,
  read,
  type Scratch,
  type Span,
  spansOf,
  storedType,
  storeShader,
  write,
} from "./dispatch.ts";
import { defineOp, expectFloat, expectType, f16, f32, type OpCase, type TensorType, type Value } from "./op.ts";
import type { Traits } from "./traits.ts";
import { at, eachRow, real, sumOverRows } from "./wasm.ts";

export interface LayerNormAttrs {
  /** Added to the variance. */
  readonly epsilon: number;
  /** Who takes a row: one invocation "alone", a work"group", or whichever suits the adapter. */
  readonly variant: "auto" | "alone" | "group";
  /** Element type of y. */
  readonly result: FloatDType;
}

const DEFAULTS: LayerNormAttrs = { epsilon: 1e-5, variant: "auto", result: "f32" };

/**
 * y = (x - mean) rstd gain + bias over the last dimension (Ba, Kiros, Hinton 2016), variance in two passes.
 * x, y: [..., C]; gain, bias: [C]; mean, rstd: [R], R the number of rows. y may be f16.
 */
export const layerNormOp = defineOp({
  name: "layerNorm",
  inputs: ["x", "gain"],
  optional: ["bias"],
  outputs: ["y", "mean", "rstd"],
  auxiliary: ["mean", "rstd"],
  attrs: DEFAULTS,
  shapes: ({ x, gain, bias }, { result }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    expectType("layerNorm", "gain", gain, "f32", [columns]);
    if (bias) expectType("layerNorm", "bias", bias, "f32", [columns]);
    return { y: { dtype: result, shape: x.shape }, mean: f32([rows]), rstd: f32([rows]) };
  },
  cpu: ({ x, gain, bias }, { y, mean, rstd }, { epsilon }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    for (let r = 0; r < rows; r++) {
      let sum = 0;
      for (let c = 0; c < columns; c++) sum += x.data[r * columns + c]!;
      const average = sum / columns;
      let square = 0;
      for (let c = 0; c < columns; c++) square += (x.data[r * columns + c]! - average) ** 2;
      const scale = 1 / Math.sqrt(square / columns + epsilon);
      for (let c = 0; c < columns; c++) {
        const i = r * columns + c;
        y.data[i] = (x.data[i]! - average) * scale * gain.data[c]! + (bias?.data[c] ?? 0);
      }
      mean.data[r] = average;
      rstd.data[r] = scale;
    }
  },
  gpu: ({ x, bias }, { y }, { epsilon, variant }, traits) =>
    rowSpans(x, [y.dtype], traits).map(({ span, rows, first, columns }) => {
      const { pack, row, sizes, grid } = rowShaders(variant, rows, columns, traits);
      return {
        shader: ["lib/grid", `lib/pack${pack}`, "lib/sum", row, storeShader(y.dtype, pack), "layer_norm"],
        entry: "forward",
        sizes,
        uniforms: { ROWS: rows, FIRST: first, C: columns, EPSILON: epsilon, HAS_BIAS: bias ? 1 : 0 },
        bind: [
          read("x", span),
          read("gain"),
          read(bias ? "bias" : "gain"),
          write("y", span),
          write("mean"),
          write("rstd"),
        ],
        grid,
      };
    }),
  wasm: ({ x }, _outputs, { epsilon }) => {
    const args = [at("x"), at("gain"), at("bias"), at("y"), at("mean"), at("rstd"), real(epsilon)];
    const [rows, columns] = rowsAndColumns(x.shape);
    return { calls: [eachRow("layerNorm", rows, columns, args)] };
  },
  vjp: ({ x, gain, bias }, { mean, rstd }, { y: dy }, { variant }, context) => {
    if (!dy) return {};
    const gradients: { x?: Value; gain?: Value; bias?: Value } = {};
    if (context.needs("gain") || (bias && context.needs("bias"))) {
      const { dgain, dbias } = layerNormParametersOp.apply({ x, mean, rstd, dy });
      gradients.gain = dgain;
      if (bias) gradients.bias = dbias;
    }
    if (context.needs("x")) {
      const residual = context.accumulated("x");
      gradients.x = layerNormBackwardOp.apply({ x, gain, mean, rstd, dy, residual }, { variant }).dx;
    }
    return gradients;
  },
  cost: ({ x }) => ({ flops: 8 * sizeOf(x.shape), bytes: 8 * sizeOf(x.shape) }),
  cases: [
    ...bothVariants({ x: f32([5, 8]), gain: f32([8]), bias: f32([8]) }),
    ...bothVariants({ x: f32([2, 3, 7]), gain: f32([7]) }),
    { inputs: { x: f32([5, 8]), gain: f32([8]), bias: f32([8]) }, attrs: { result: "f16" } },
    { inputs: { x: f32([2, 7]), gain: f32([7]) }, attrs: { result: "f16" } },
  ],
});

/** dx of layerNorm, plus `residual`: the gradient that x has from elsewhere. dy may be f16. */
export const layerNormBackwardOp = defineOp({
  name: "layerNormBackward",
  inputs: ["x", "gain", "mean", "rstd", "dy"],
  optional: ["residual"],
  outputs: ["dx"],
  halves: ["dy"],
  attrs: { variant: DEFAULTS.variant },
  shapes: ({ x, gain, mean, rstd, dy, residual }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    expectType("layerNormBackward", "gain", gain, "f32", [columns]);
    expectType("layerNormBackward", "mean", mean, "f32", [rows]);
    expectType("layerNormBackward", "rstd", rstd, "f32", [rows]);
    expectFloat("layerNormBackward", "dy", dy, x.shape);
    if (residual) expectType("layerNormBackward", "residual", residual, "f32", x.shape);
    return { dx: f32(x.shape) };
  },
  cpu: ({ x, gain, mean, rstd, dy, residual }, { dx }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    for (let r = 0; r < rows; r++) {
      const normal = (c: number) => (x.data[r * columns + c]! - mean.data[r]!) * rstd.data[r]!;
      const dnormal = (c: number) => dy.data[r * columns + c]! * gain.data[c]!;
      let sum = 0;
      let along = 0;
      for (let c = 0; c < columns; c++) {
        sum += dnormal(c);
        along += dnormal(c) * normal(c);
      }
      for (let c = 0; c < columns; c++) {
        const value = rstd.data[r]! * (dnormal(c) - sum / columns - (normal(c) * along) / columns);
        dx.data[r * columns + c] = value + (residual?.data[r * columns + c] ?? 0);
      }
    }
  },
  gpu: ({ x, dy, residual }, _outputs, { variant }, traits) =>
    rowSpans(x, [dy.dtype], traits).map(({ span, rows, first, columns }) => {
      const { pack, row, sizes, grid } = rowShaders(variant, rows, columns, traits);
      const inputs = [read("x", span), read("gain"), read("mean"), read("rstd"), read("dy", span)];
      return {
        shader: ["lib/grid", `lib/pack${pack}`, "lib/sum", row, "layer_norm_backward"],
        types: { DY: storedType(dy.dtype, pack), RESIDUAL: storedType((residual ?? dy).dtype, pack) },
        entry: "backward",
        sizes,
        uniforms: { ROWS: rows, FIRST: first, C: columns, HAS_RESIDUAL: residual ? 1 : 0 },
        bind: [...inputs, read(residual ? "residual" : "dy", span), write("dx", span)],
        grid,
      };
    }),
  wasm: ({ x }) => {
    const args = ["x", "gain", "mean", "rstd", "dy", "residual", "dx"].map(at);
    const [rows, columns] = rowsAndColumns(x.shape);
    return { calls: [eachRow("layerNormBackward", rows, columns, args)] };
  },
  cost: ({ x, residual }) => ({ flops: 14 * sizeOf(x.shape), bytes: (residual ? 16 : 12) * sizeOf(x.shape) }),
  cases: [
    ...bothVariants({ x: f32([5, 8]), gain: f32([8]), mean: f32([5]), rstd: f32([5]), dy: f32([5, 8]) }),
    ...bothVariants({
      x: f32([3, 7]),
      gain: f32([7]),
      mean: f32([3]),
      rstd: f32([3]),
      dy: f32([3, 7]),
      residual: f32([3, 7]),
    }),
    {
      inputs: {
        x: f32([5, 8]),
        gain: f32([8]),
        mean: f32([5]),
        rstd: f32([5]),
        dy: f16([5, 8]),
        residual: f32([5, 8]),
      },
    },
  ],
});

/** dgain and dbias of layerNorm, both [C]. dy may be f16. */
export const layerNormParametersOp = defineOp({
  name: "layerNormParameters",
  inputs: ["x", "mean", "rstd", "dy"],
  outputs: ["dgain", "dbias"],
  halves: ["dy"],
  shapes: ({ x, mean, rstd, dy }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    expectType("layerNormParameters", "mean", mean, "f32", [rows]);
    expectType("layerNormParameters", "rstd", rstd, "f32", [rows]);
    expectFloat("layerNormParameters", "dy", dy, x.shape);
    return { dgain: f32([columns]), dbias: f32([columns]) };
  },
  cpu: ({ x, mean, rstd, dy }, { dgain, dbias }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    const [gains, biases] = [new Float64Array(columns), new Float64Array(columns)];
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const i = r * columns + c;
        gains[c]! += dy.data[i]! * (x.data[i]! - mean.data[r]!) * rstd.data[r]!;
        biases[c]! += dy.data[i]!;
      }
    }
    dgain.data.set(gains);
    dbias.data.set(biases);
  },
  wasm: ({ x }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    const args = [at("x"), at("mean"), at("rstd"), at("dy")];
    return sumOverRows("layerNormParameterParts", [rows, columns], args, 2 * columns, [
      ["dgain", 0],
      ["dbias", columns],
    ]);
  },
  scratch: ({ x, dy }, _attrs, traits): Readonly<Record<string, Scratch>> => {
    if (sumsColumnsAtOnce(sizeOf(x.shape), [x.dtype, dy.dtype], traits)) return {};
    const { chunks } = chunksOf(x, dy, traits);
    return { partials: { dtype: "f32", length: 2 * chunks * (x.shape.at(-1) ?? 1) } };
  },
  gpu: ({ x, dy }, _outputs, _attrs, traits): Dispatch[] => {
    const { spans, chunks, columns } = chunksOf(x, dy, traits);
    const pack = columns % 4 === 0 ? 4 : 1;
    if (sumsColumnsAtOnce(sizeOf(x.shape), [x.dtype, dy.dtype], traits)) {
      return [
        {
          shader: ["lib/grid", `lib/pack${pack}`, "lib/sum", "gpu/column_lanes", "gpu/layer_norm_parameters"],
          entry: "parameters",
          types: { DY: storedType(dy.dtype, pack) },
          uniforms: { ROWS: sizeOf(x.shape) / columns, C: columns },
          bind: [...["x", "mean", "rstd", "dy"].map((name) => read(name)), write("dgain"), write("dbias")],
          grid: columnGroups(columns, traits),
        },
      ];
    }
    const common = {
      shader: ["lib/grid", `lib/pack${pack}`, "lib/sum", "software/layer_norm_parameters"],
      types: { DY: storedType(dy.dtype, pack) },
    } as const;
    const partial = spans.map(({ span, rows, first, firstChunk }) => ({
      ...common,
      entry: "partial",
      uniforms: { ROWS: rows, FIRST: first, C: columns, CHUNK, CHUNKS: chunks, FIRST_CHUNK: firstChunk, SIDE: 0 },
      bind: [read("x", span), read("mean"), read("rstd"), read("dy", span), write("partials")],
      grid: grid1d(Math.ceil(rows / CHUNK) * (columns / pack), 64, traits),
    }));
    const total = ["dgain", "dbias"].map((gradient, side) => ({
      ...common,
      entry: "total",
      uniforms: { ROWS: 0, FIRST: 0, C: columns, CHUNK, CHUNKS: chunks, FIRST_CHUNK: 0, SIDE: side },
      bind: [read("partials"), write(gradient)],
      grid: grid1d(columns / pack, 64, traits),
    }));
    return [...partial, ...total];
  },
  cost: ({ x }) => ({ flops: 5 * sizeOf(x.shape), bytes: 8 * sizeOf(x.shape) }),
  cases: [
    { inputs: { x: f32([40, 8]), mean: f32([40]), rstd: f32([40]), dy: f32([40, 8]) } },
    { inputs: { x: f32([3, 7]), mean: f32([3]), rstd: f32([3]), dy: f32([3, 7]) } },
    { inputs: { x: f32([40, 8]), mean: f32([40]), rstd: f32([40]), dy: f16([40, 8]) } },
  ],
});

export function layerNorm(x: Value, gain: Value, bias?: Value, attrs: Partial<LayerNormAttrs> = {}): Value {
  return layerNormOp.apply({ x, gain, bias }, attrs).y;
}

/** Rows that one invocation sums before the parts are added up. */
const CHUNK = 32;

/** `dtypes`: of tensors besides x that are cut alike. */
function rowSpans(
  x: TensorType,
  dtypes: readonly DType[],
  traits: Traits,
): { span: Span; rows: number; first: number; columns: number }[] {
  const columns = x.shape.at(-1) ?? 1;
  return spansOf(sizeOf(x.shape), traits, columns, [x.dtype, ...dtypes]).map((span) => {
    return { span, rows: span.length / columns, first: span.offset / columns, columns };
  });
}

function chunksOf(x: TensorType, dy: TensorType, traits: Traits) {
  let chunks = 0;
  const spans = rowSpans(x, [dy.dtype], traits).map((span) => {
    const firstChunk = chunks;
    chunks += Math.ceil(span.rows / CHUNK);
    return { ...span, firstChunk };
  });
  return { spans, chunks, columns: x.shape.at(-1) ?? 1 };
}

/** Invocations of a workgroup of lib/row_alone.wgsl, and of lib/row_group.wgsl. */
const ALONE_WORKGROUP = 16;
const ROW_LANES = 64;

function rowShaders(variant: LayerNormAttrs["variant"], rows: number, columns: number, traits: Traits) {
  const alone = variant === "alone" || (variant === "auto" && traits.software);
  return {
    pack: columns % 4 === 0 ? 4 : 1,
    row: alone ? "lib/row_alone" : "lib/row_group",
    sizes: alone ? {} : { ROW_LANES },
    grid: alone ? grid1d(rows, ALONE_WORKGROUP, traits) : gridOf(rows, traits),
  } as const;
}

function bothVariants(inputs: OpCase["inputs"]): OpCase[] {
  return [
    { inputs, attrs: { variant: "alone" } },
    { inputs, attrs: { variant: "group" } },
  ];
}
