import { type DType, WORD_BYTES } from "../../core/dtype.ts";
import { sizeOf } from "../../core/shape.ts";
import {
  type Dispatch,
  grid1d,
  gridOf,
  read,
  roomy,
  type Scratch,
  type Span,
  spansOf,
  storedType,
  storeShader,
  write,
} from "../dispatch.ts";
import { type LayerNormAttrs, layerNormBackwardOp, layerNormOp, layerNormParametersOp } from "../layer-norm.ts";
import { layerNormAllBackwardOp } from "../layer-norm-all.ts";
import type { TensorType } from "../op.ts";
import type { Traits } from "../traits.ts";
import { columnGroups, sumsColumnsAtOnce } from "./column-sum.ts";
import { gpuKernel } from "./kernel.ts";

export const layerNormGpu = gpuKernel(layerNormOp, {
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
});

export const layerNormBackwardGpu = gpuKernel(layerNormBackwardOp, {
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
});

export const layerNormParametersGpu = gpuKernel(layerNormParametersOp, {
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
});

export const layerNormAllBackwardGpu = gpuKernel(layerNormAllBackwardOp, {
  scratch: ({ x, dy }, _attrs, traits): Readonly<Record<string, Scratch>> => {
    const { parts, columns } = blocksOf(x, dy, traits);
    return { partials: { dtype: "f32", length: SUMS * parts * columns } };
  },
  gpu: ({ x, dy, residual }, _outputs, _attrs, traits): Dispatch[] => {
    const { spans, blocks, parts, columns } = blocksOf(x, dy, traits);
    const pack = columns % 4 === 0 ? 4 : 1;
    const rows = spans.map(({ span, rows, first, firstPart }): Dispatch => {
      const inputs = [read("x", span), read("gain"), read("mean"), read("rstd"), read("dy", span)];
      return {
        shader: ["lib/grid", `lib/pack${pack}`, "lib/sum", "gpu/layer_norm_all"],
        entry: "rows",
        types: { DY: storedType(dy.dtype, pack), RESIDUAL: storedType((residual ?? dy).dtype, pack) },
        sizes: { AHEAD: traits.fewRegisters ? 2 : 4 },
        ...roomy(GROUP, traits),
        uniforms: {
          ...{ ROWS: rows, FIRST: first, C: columns, HAS_RESIDUAL: residual ? 1 : 0 },
          ...{ BLOCKS: blocks, PARTS: parts, FIRST_PART: firstPart },
        },
        bind: [...inputs, read(residual ? "residual" : "dy", span), write("dx", span), write("partials")],
        grid: gridOf(Math.ceil(rows / (BLOCK * blocks)), traits),
      };
    });
    const [x1, y1] = columnGroups(columns, traits);
    const totals: Dispatch = {
      shader: ["lib/grid", `lib/pack${pack}`, "lib/sum", "gpu/column_lanes", "gpu/layer_norm_totals"],
      entry: "totals",
      uniforms: { C: columns, PARTS: parts },
      bind: [read("partials"), write("dgain"), write("dbias"), write("dxSum")],
      grid: [x1, y1, SUMS],
    };
    return [...rows, totals];
  },
});

/** Invocations of a workgroup of shaders/gpu/layer_norm_all.wgsl, rows that it holds at a time, and what it sums down their columns. */
const GROUP = 256;
const BLOCK = 16;
const SUMS = 3;
/** Workgroups that keep a GPU busy: more would only be more to add up. */
const MOST_PARTS = 1024;

/** Stretches of `blocks` blocks of rows, each summed by a workgroup: `parts` in all. */
function blocksOf(x: TensorType, dy: TensorType, traits: Traits) {
  const columns = x.shape.at(-1) ?? 1;
  const all = rowSpans(x, [dy.dtype], traits);
  const fit = Math.floor(traits.maxBindingBytes / (SUMS * WORD_BYTES * columns)) - all.length;
  const rows = sizeOf(x.shape) / columns;
  const blocks = Math.max(1, Math.ceil(rows / BLOCK / Math.max(1, Math.min(MOST_PARTS, fit))));
  let parts = 0;
  const spans = all.map((span) => {
    const firstPart = parts;
    parts += Math.ceil(span.rows / (BLOCK * blocks));
    return { ...span, firstPart };
  });
  return { spans, blocks, parts, columns };
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
