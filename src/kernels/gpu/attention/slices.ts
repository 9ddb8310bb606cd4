import { WORD_BYTES } from "../../../core/dtype.ts";
import type { AttentionSizes } from "../../attention-sizes.ts";
import type { Dispatch, Scratch } from "../../dispatch.ts";
import type { Range } from "../../product.ts";
import type { Traits } from "../../traits.ts";
import { mostProducts } from "../matmul/batch.ts";
import { stretchesOf } from "./rows.ts";

/** How the scores of a slice are multiplied: by kernels of their own, or as products of matrices like all others. */
export interface PanelForm {
  /** Rows whose scores exist at one time. */
  readonly rows: number;
  /** Rows that have the same keys in the panels: a power of 2, and `rows` is a multiple of it. */
  readonly tile: number;
  products(slice: Slice, sizes: AttentionSizes, traits: Traits): PanelProducts;
}

/** The products of a slice, from tensors with a row for each position into panels and back. */
export interface PanelProducts {
  /** panels = x . y^T: queries and keys give scores before their scale, gradients and values give those of probabilities. */
  scores(x: Viewed, y: Viewed, panels: string): Dispatch[];
  /** y = panels . x: the output of probabilities and values, the queries' gradient of those of scores and keys. */
  values(panels: string, x: Viewed, y: Viewed): Dispatch[];
  /** y = panels^T . x, added for keys before the slice: the keys' gradient of queries, the values' of gradients of y. */
  keys(panels: string, x: Viewed, y: Viewed): Dispatch[];
}

/** Some heads and some of their rows. */
export interface Slice {
  /** Whose tensors are bound. */
  readonly stretch: Range;
  /** Heads are counted through the batch: some of one sequence, or all of several. */
  readonly first: number;
  readonly group: number;
  /** The first row, and how many the panels have: multiples of 8. */
  readonly from: number;
  readonly rows: number;
}

/** Where the rows of the first head lie in a tensor: elements from a row to the next, and before the first. */
export interface View {
  readonly row: number;
  readonly start: number;
}

export type Viewed = readonly [tensor: string, view: View];

/** Of the panels of one slice: more would only leave the caches. */
const PANEL_BYTES = 32 * 1024 * 1024;

/** A panel for each head of the largest slice: of order T, whatever the number of heads. */
export function panelsScratch(sizes: AttentionSizes, form: PanelForm, traits: Traits): Scratch {
  return { dtype: "f32", length: groupOf(sizes, form, traits) * panelLength(sizes, form) };
}

export function slicesOf(sizes: AttentionSizes, form: PanelForm, traits: Traits): Slice[] {
  const { T, H } = sizes;
  const most = groupOf(sizes, form, traits);
  const rows = panelRows(sizes, form);
  const slices: Slice[] = [];
  for (const stretch of stretchesOf(sizes, traits)) {
    const end = (stretch.start + stretch.length) * H;
    let first = stretch.start * H;
    while (first < end) {
      const group = most >= H ? Math.min(most - (most % H), end - first) : Math.min(most, H - (first % H));
      for (let from = 0; from < T; from += rows) slices.push({ stretch, first, group, from, rows });
      first += group;
    }
  }
  return slices;
}

export function padded(T: number): number {
  return Math.ceil(T / 8) * 8;
}

/** panel_row() of attention/panels.wgsl, in elements. */
export function panelRow({ T }: AttentionSizes): number {
  return padded(T) + 4;
}

function panelRows({ T }: AttentionSizes, { rows }: PanelForm): number {
  return Math.min(rows, padded(T));
}

function panelLength(sizes: AttentionSizes, form: PanelForm): number {
  return panelRows(sizes, form) * panelRow(sizes);
}

function groupOf(sizes: AttentionSizes, form: PanelForm, traits: Traits): number {
  const bytes = Math.min(PANEL_BYTES, traits.maxBindingBytes);
  const fitting = Math.floor(bytes / (panelLength(sizes, form) * WORD_BYTES));
  return Math.max(1, Math.min(sizes.B * sizes.H, fitting, mostProducts(traits)));
}

/** The thirds of qkv and dqkv, and y or dy. */
export function viewsOf({ C }: AttentionSizes): Record<"q" | "k" | "v" | "y", View> {
  const third = (start: number): View => ({ row: 3 * C, start });
  return { q: third(0), k: third(C), v: third(2 * C), y: { row: C, start: 0 } };
}
