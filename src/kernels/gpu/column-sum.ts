import { bytesPerElement, type DType, WORD_BYTES } from "../../core/dtype.ts";
import { columnSumOp } from "../column-sum.ts";
import { type Binding, type Dispatch, grid1d, gridOf, read, spansOf, storedType, write } from "../dispatch.ts";
import type { TensorType } from "../op.ts";
import type { Traits } from "../traits.ts";
import { gpuKernel } from "./kernel.ts";

const WORKGROUP = 64;
const LEAST_ROWS = 16;

export const columnSumGpu = gpuKernel(columnSumOp, {
  gpu: ({ x }, _outputs, _attrs, traits) => {
    const N = x.shape[1]!;
    if (inOnePass(x, traits)) return [onePass(x, traits)];
    const { parts, stretches } = partsOf(x, traits);
    if (stretches <= 1)
      return [columnSums(x.shape[0]!, N, Math.max(1, x.shape[0]!), 0, read("x"), write("y"), x.dtype, traits)];
    const first = parts.map(({ M, rows, first, span }) =>
      columnSums(M, N, rows, first, read("x", span), write("partials"), x.dtype, traits),
    );
    return [...first, columnSums(stretches, N, stretches, 0, read("partials"), write("y"), "f32", traits)];
  },
  scratch: ({ x }, _attrs, traits) => {
    const { stretches } = partsOf(x, traits);
    const none: Record<string, { dtype: "f32"; length: number }> = {};
    return stretches > 1 && !inOnePass(x, traits)
      ? { partials: { dtype: "f32", length: stretches * x.shape[1]! } }
      : none;
  },
});

/** Columns, and invocations, of a workgroup of shaders/gpu/column_lanes.wgsl. */
const GROUP_COLUMNS = 8;
const GROUP_LANES = 256;

/** Whether a GPU sums down the columns of tensors of this shape in one pass: it can as long as one binding covers each. */
export function sumsColumnsAtOnce(elements: number, dtypes: readonly DType[], traits: Traits): boolean {
  const bytes = Math.max(...dtypes.map(bytesPerElement)) * elements;
  return !traits.software && traits.maxInvocations >= GROUP_LANES && bytes <= traits.maxBindingBytes;
}

/** Workgroups of shaders/gpu/column_lanes.wgsl. */
export function columnGroups(columns: number, traits: Traits): [number, number, number] {
  return gridOf(Math.ceil(columns / GROUP_COLUMNS), traits);
}

function inOnePass(x: TensorType, traits: Traits): boolean {
  return sumsColumnsAtOnce(x.shape[0]! * x.shape[1]!, [x.dtype], traits);
}

function onePass(x: TensorType, traits: Traits): Dispatch {
  const [M, N] = x.shape as [number, number];
  const pack = N % 4 === 0 ? 4 : 1;
  return {
    shader: ["lib/grid", `lib/pack${pack}`, "lib/sum", "gpu/column_lanes", "gpu/column_sum"],
    entry: "column_sum",
    types: { X: storedType(x.dtype, pack) },
    uniforms: { M, N },
    bind: [read("x"), write("y")],
    grid: columnGroups(N, traits),
  };
}

/** What one binding covers of x, cut into stretches that are summed side by side. */
interface Part {
  readonly M: number;
  readonly rows: number;
  /** The number of its first stretch. */
  readonly first: number;
  readonly span: { readonly offset: number; readonly length: number };
}

/** About sqrt(M) stretches of as many rows; fewer where their sums would not fit a binding. */
function partsOf(x: TensorType, traits: Traits): { parts: Part[]; stretches: number } {
  const [M, N] = x.shape as [number, number];
  const spans = spansOf(M * N, traits, N, [x.dtype]);
  const most = Math.max(spans.length, Math.floor(traits.maxBindingBytes / WORD_BYTES / Math.max(1, N)));
  const rows = Math.max(LEAST_ROWS, Math.ceil(Math.sqrt(M)), Math.ceil(M / Math.max(1, most - spans.length)));
  let first = 0;
  const parts = spans.map((span) => {
    const part = { M: span.length / N, rows, first, span };
    first += Math.ceil(part.M / rows);
    return part;
  });
  return { parts, stretches: first };
}

function columnSums(
  M: number,
  N: number,
  rows: number,
  first: number,
  from: Binding,
  to: Binding,
  dtype: DType,
  traits: Traits,
): Dispatch {
  // Without rows one empty stretch is left, which writes zeros.
  const stretches = Math.max(1, Math.ceil(M / rows));
  return {
    shader: ["lib/grid", "lib/pack1", "lib/sum", "software/column_sum"],
    entry: "column_sum",
    types: { X: storedType(dtype, 1) },
    uniforms: { M, N, ROWS: rows, STRETCHES: stretches, FIRST: first },
    bind: [from, to],
    grid: grid1d(stretches * N, WORKGROUP, traits),
  };
}
