import { sizeOf } from "../../core/shape.ts";
import { type Matrix, matrixOf } from "../byte-matrix.ts";
import { type Dispatch, grid1d, read, type Span, spansOf, storedType, write } from "../dispatch.ts";
import { embeddingBackwardOp, embeddingOp } from "../embedding.ts";
import type { TensorType } from "../op.ts";
import type { Traits } from "../traits.ts";
import { byteSpans } from "./byte-spans.ts";
import { gpuKernel } from "./kernel.ts";

const WORKGROUP = 64;

export const embeddingGpu = gpuKernel(embeddingOp, {
  gpu: ({ ids, table, steps, residual }, { y }, _attrs, traits) => {
    if (steps) return ofBytes({ ids, table: matrixOf("embedding", "table", table, steps), residual, y }, traits);
    return tableSpans(table, traits).map((span) => {
      const words = table.dtype === "f16" && !traits.f16;
      const { size, shader } = words ? ONE : packOf(table);
      return {
        shader: ["lib/grid", shader, words ? "lib/table_words" : "lib/table_stored", "embedding"],
        entry: "embedding",
        types: {
          ...(words ? {} : { TABLE: storedType(table.dtype, size) }),
          RESIDUAL: words ? "f32" : storedType((residual ?? table).dtype, size),
        },
        uniforms: {
          ...{ N: sizeOf(ids.shape), C: table.shape[1]!, ...rowsOf(span, table) },
          HAS_RESIDUAL: residual ? 1 : 0,
        },
        bind: [read("ids"), read("table", span), residual ? read("residual") : read("table", span), write("y")],
        grid: grid1d(sizeOf(y.shape) / size, WORKGROUP, traits),
      };
    });
  },
});

interface Looked {
  readonly ids: TensorType;
  readonly table: Matrix;
  readonly residual: TensorType | undefined;
  readonly y: TensorType;
}

/** Of a table in 8 bits, whose rows are whole words. */
function ofBytes({ ids, table, residual, y }: Looked, traits: Traits): Dispatch[] {
  const [, C = 0] = table.shape;
  return byteSpans(table, traits).map(({ rows, words, steps }) => ({
    shader: ["lib/grid", "lib/pack4", "lib/bytes", "lib/table_bytes", "embedding"],
    entry: "embedding",
    types: { RESIDUAL: storedType("f32", 4) },
    sizes: { SHARED: table.group ?? 0 },
    uniforms: { N: sizeOf(ids.shape), C, FIRST: rows.start, ROWS: rows.length, HAS_RESIDUAL: residual ? 1 : 0 },
    bind: [
      read("ids"),
      read("table", words),
      residual ? read("residual") : read("table", words),
      write("y"),
      read("steps", steps),
    ],
    grid: grid1d(sizeOf(y.shape) / 4, WORKGROUP, traits),
  }));
}

export const embeddingBackwardGpu = gpuKernel(embeddingBackwardOp, {
  gpu: ({ dy, into }, { dtable }, _attrs, traits) =>
    tableSpans(dtable, traits).flatMap((span) => {
      const [n, c] = [dy.shape[0]!, dy.shape[1]!];
      const clear = {
        shader: ["lib/grid", "fill"] as const,
        entry: "fill",
        uniforms: { N: span.length, VALUE: 0 },
        bind: [write("dtable", span)],
        grid: grid1d(span.length, WORKGROUP, traits),
      };
      const sum = {
        shader: ["lib/grid", packOf(dy).shader, "lib/sum", "embedding_backward"] as const,
        entry: "embedding_backward",
        uniforms: { N: n, C: c, ...rowsOf(span, dtable) },
        bind: [read("dy"), read("ids"), read("order"), write("dtable", span)],
        grid: grid1d((n * c) / packOf(dy).size, WORKGROUP, traits),
      };
      return into ? [sum] : [clear, sum];
    }),
});

/** Rows of a table that one binding covers. */
function tableSpans({ shape, dtype }: TensorType, traits: Traits): Span[] {
  return spansOf(sizeOf(shape), traits, shape[1]!, [dtype]);
}

/** Columns that an invocation takes, and the shader that says so. */
function packOf({ shape: [, columns = 0] }: TensorType) {
  return columns % 4 === 0 ? ({ size: 4, shader: "lib/pack4" } as const) : ONE;
}

const ONE = { size: 1, shader: "lib/pack1" } as const;

function rowsOf(span: Span, table: TensorType): { FIRST: number; ROWS: number } {
  const c = table.shape[1]!;
  return { FIRST: span.offset / c, ROWS: span.length / c };
}
