import { type DType, WORD_BYTES } from "../core/dtype.ts";
import { type AttentionSizes, bounds, rowsOf, stepOf, stretchesOf } from "./attention-rows.ts";
import { castDispatches } from "./cast.ts";
import {
  type Binding,
  type Dispatch,
  grid1d,
  read,
  type Scratch,
  type ShaderName,
  type Span,
  storedType,
  storeShader,
  write,
} from "./dispatch.ts";
import type { Range } from "./matmul/product.ts";
import type { Traits } from "./traits.ts";

/**
 * Kernels of small matrix products over panels: the scores of a few heads and rows at a time, in scratch that grows with
 * T and not with its square.
 * On software drivers private arrays are memory, and slow; these kernels have none.
 */
export function panelsForward(sizes: AttentionSizes, traits: Traits): Dispatch[] {
  const { q, k, v, y } = viewsOf(sizes);
  return slicesOf(sizes, traits).flatMap((slice) => {
    const { scores, softmax, weighted } = kernels(slice, sizes, traits);
    return [
      scores(["qkv", q], ["qkv", k], "panels", sizes.scale),
      softmax("panels"),
      weighted("panel_values", "panels", ["qkv", v], ["y", y]),
    ];
  });
}

/**
 * Wants scratch `delta` [B H T], `probabilities` and `dscores` of `panelsScratch`, and `sumsScratch`. Gradients of keys and values are sums
 * over all rows, and so over the slices of a head, which come in the order of their rows; in f16 they would lose digits
 * slice by slice, so they are summed apart.
 */
export function panelsBackward(sizes: AttentionSizes, traits: Traits): Dispatch[] {
  const { T, H, B, C, dtype } = sizes;
  const { q, k, v, y } = viewsOf(sizes);
  const sums = dtype === "f16" ? "sums" : "dqkv";
  const deltas = stretchesOf(sizes, traits).map((stretch) => {
    const all = { stretch, first: stretch.start * H, group: stretch.length * H, from: 0, rows: padded(T) };
    return kernels(all, sizes, traits).delta(y);
  });
  const slices = slicesOf(sizes, traits).flatMap((slice) => {
    const { scores, slopes, weighted } = kernels(slice, sizes, traits);
    return [
      scores(["qkv", q], ["qkv", k], "probabilities", sizes.scale),
      scores(["dy", y], ["qkv", v], "dscores", 1),
      slopes("probabilities", "dscores"),
      weighted("panel_values", "dscores", ["qkv", k], [sums, q]),
      weighted("panel_keys", "dscores", ["qkv", q], [sums, k]),
      weighted("panel_keys", "probabilities", ["dy", y], [sums, v]),
    ];
  });
  if (sums === "dqkv") return [...deltas, ...slices];
  const shape = [B * T, 3 * C];
  return [
    ...deltas,
    ...slices,
    ...castDispatches({ [sums]: { dtype: "f32", shape } }, { dqkv: { dtype, shape } }, traits),
  ];
}

/** Where gradients in f16 are summed. */
export function sumsScratch({ B, T, C, dtype }: AttentionSizes): Readonly<Record<string, Scratch>> {
  return dtype === "f16" ? { sums: { dtype: "f32", length: B * T * 3 * C } } : {};
}

/** A panel for each head of the largest slice: of order T, whatever the number of heads. */
export function panelsScratch(sizes: AttentionSizes, traits: Traits): Scratch {
  return { dtype: "f32", length: groupOf(sizes, traits) * panelLength(sizes) };
}

const WORKGROUP = 16;
/** Of the panels of one slice: more would only leave the caches. */
const PANEL_BYTES = 32 * 1024 * 1024;

/** Rows whose scores exist at one time. More would cost memory, fewer a dispatch more often than it is worth. */
const PANEL_ROWS = 32;

/** Some heads and some of their rows. */
interface Slice {
  /** Whose tensors are bound. */
  readonly stretch: Range;
  /** Heads are counted through the batch. */
  readonly first: number;
  readonly group: number;
  /** The first row, and how many the panels have: multiples of 8. */
  readonly from: number;
  readonly rows: number;
}

function padded(T: number): number {
  return Math.ceil(T / 8) * 8;
}

/** Of 8 rows and 4 keys, up to the last row's diagonal. */
function tiles({ from, rows }: Slice, { T }: AttentionSizes): number {
  return (rows / 8) * (Math.min(padded(T), from + rows) / 4);
}

function panelRows({ T }: AttentionSizes): number {
  return Math.min(PANEL_ROWS, padded(T));
}

/** panel_row() of attention/panels.wgsl, for each row. */
function panelLength(sizes: AttentionSizes): number {
  return panelRows(sizes) * (padded(sizes.T) + 4);
}

function groupOf(sizes: AttentionSizes, traits: Traits): number {
  const bytes = Math.min(PANEL_BYTES, traits.maxBindingBytes);
  return Math.max(1, Math.min(sizes.B * sizes.H, Math.floor(bytes / (panelLength(sizes) * WORD_BYTES))));
}

function slicesOf(sizes: AttentionSizes, traits: Traits): Slice[] {
  const { T, H } = sizes;
  const most = groupOf(sizes, traits);
  const rows = panelRows(sizes);
  const slices: Slice[] = [];
  for (const stretch of stretchesOf(sizes, traits)) {
    const end = (stretch.start + stretch.length) * H;
    for (let first = stretch.start * H; first < end; first += most) {
      const group = Math.min(most, end - first);
      for (let from = 0; from < T; from += rows) slices.push({ stretch, first, group, from, rows });
    }
  }
  return slices;
}

/** Where the rows of the first head lie in a tensor: elements from a row to the next, and before the first. */
interface View {
  readonly row: number;
  readonly start: number;
}

type Viewed = readonly [tensor: string, view: View];

/** The thirds of qkv and dqkv, and y or dy. */
function viewsOf({ C }: AttentionSizes): Record<"q" | "k" | "v" | "y", View> {
  const third = (start: number): View => ({ row: 3 * C, start });
  return { q: third(0), k: third(C), v: third(2 * C), y: { row: C, start: 0 } };
}

const NOWHERE: View = { row: 0, start: 0 };

/** The kernels for one slice; see shaders/attention/. */
function kernels(slice: Slice, sizes: AttentionSizes, traits: Traits) {
  const { stretch, first, group, from: FROM, rows: ROWS } = slice;
  const { T, H, D, rate, stream, dtype } = sizes;
  const size = D % 4 === 0 ? 4 : 1;
  const step = stepOf(sizes);
  const { bind: within, shader: bound } = bounds(sizes);
  const dropout: ShaderName[] = ["lib/philox", "lib/step", "attention/kept"];
  /** `items`: of work, for each head. */
  const kernel = (
    entry: `panel_${"scores" | "softmax" | "values" | "keys" | "slopes" | "delta"}`,
    items: number,
    library: readonly ShaderName[],
    views: { x?: View; y?: View; scale?: number },
    bind: readonly Binding[],
    result: DType = dtype,
  ): Dispatch => {
    const { x = NOWHERE, y = NOWHERE, scale = 1 } = views;
    const drops = library === dropout;
    return {
      shader: [
        ...(["lib/grid", `lib/pack${size}`, storeShader(result, size), "attention/panels", bound] as const),
        ...library,
        `attention/${entry}`,
      ],
      entry,
      types: { X: storedType(dtype, size) },
      uniforms: {
        ...{ T, H, PACKS: D / size, FIRST: first, GROUP: group, B0: stretch.start, FROM, ROWS },
        ...{ X_ROW: x.row / size, X_START: x.start / size, Y_ROW: y.row / size, Y_START: y.start / size },
        ...{ SCALE: scale, RATE: drops ? rate : 0, STREAM: drops ? stream : 0 },
      },
      ...(drops ? { constants: { DROPS: Number(rate > 0) } } : {}),
      sizes: { WORKGROUP },
      bind,
      grid: grid1d(items * group, WORKGROUP, traits),
    };
  };
  /** The rows of the stretch. */
  const spanOf = ({ row }: View): Span | undefined => rowsOf(sizes, stretch, row);
  return {
    scores: ([from, x]: Viewed, [with_, y]: Viewed, panels: string, scale: number) =>
      kernel("panel_scores", tiles(slice, sizes), [], { x, y, scale }, [
        ...[read(from, spanOf(x)), within, read(with_, spanOf(y))],
        write(panels),
      ]),
    softmax: (panels: string) =>
      kernel("panel_softmax", ROWS, dropout, {}, [step, within, write(panels), write("logSumExp")]),
    slopes: (scores: string, dscores: string) =>
      kernel("panel_slopes", ROWS, dropout, { scale: sizes.scale }, [
        ...[step, within, read("logSumExp"), read("delta")],
        ...[write(scores), write(dscores)],
      ]),
    weighted: (entry: "panel_values" | "panel_keys", panels: string, [from, x]: Viewed, [to, y]: Viewed) =>
      kernel(
        entry,
        ((entry === "panel_values" ? ROWS : Math.min(padded(T), FROM + ROWS)) / 8) * (D / size),
        ["attention/panel_put"],
        { x, y },
        [...[read(from, spanOf(x)), within, read(panels)], write(to, spanOf(y))],
        to === "sums" ? "f32" : dtype,
      ),
    delta: (y: View) =>
      kernel("panel_delta", T, [], { y }, [read("y", spanOf(y)), read("dy", spanOf(y)), write("delta")]),
  };
}
