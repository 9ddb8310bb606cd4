import { BYTES_PER_ELEMENT } from "../core/dtype.ts";
import { type AttentionSizes, bounds, stepOf } from "./attention-rows.ts";
import { type Dispatch, grid1d, read, type Scratch, type ShaderName, write } from "./dispatch.ts";
import type { Traits } from "./traits.ts";

/**
 * Kernels of small matrix products over panels: the scores of a few heads at a time, in scratch of bounded size.
 * On software drivers private arrays are memory, and slow; these kernels have none.
 */
export function panelsForward(sizes: AttentionSizes, traits: Traits): Dispatch[] {
  const { T } = sizes;
  return slicesOf(sizes, traits).flatMap((slice) => [
    {
      ...kernel("panel_scores", tiles(sizes), slice, sizes, traits),
      bind: [read("qkv"), bounds(sizes).bind, write("panels")],
    },
    {
      ...kernel("panel_softmax", T, slice, sizes, traits),
      bind: [stepOf(sizes), bounds(sizes).bind, write("panels"), write("logSumExp")],
    },
    {
      ...kernel("panel_values", (padded(T) / 8) * packs(sizes), slice, sizes, traits),
      bind: [read("qkv"), bounds(sizes).bind, read("panels"), write("y")],
    },
  ]);
}

/** Wants scratch `delta` [B H T], `probabilities` and `dscores` of `panelsScratch`. */
export function panelsBackward(sizes: AttentionSizes, traits: Traits): Dispatch[] {
  const { B, H, T } = sizes;
  const delta = {
    ...kernel("panel_delta", T, { first: 0, group: B * H }, sizes, traits),
    bind: [read("y"), read("dy"), write("delta")],
  };
  const slices = slicesOf(sizes, traits).flatMap((slice) => [
    {
      ...kernel("panel_backward_scores", tiles(sizes), slice, sizes, traits),
      bind: [
        read("qkv"),
        bounds(sizes).bind,
        stepOf(sizes),
        read("logSumExp"),
        read("dy"),
        read("delta"),
        write("probabilities"),
        write("dscores"),
      ],
    },
    {
      ...kernel("panel_backward_queries", (padded(T) / 8) * packs(sizes), slice, sizes, traits),
      bind: [read("qkv"), bounds(sizes).bind, read("dscores"), write("dqkv")],
    },
    {
      ...kernel("panel_backward_keys", (padded(T) / 8) * packs(sizes), slice, sizes, traits),
      bind: [read("qkv"), bounds(sizes).bind, read("dy"), read("probabilities"), read("dscores"), write("dqkv")],
    },
  ]);
  return [delta, ...slices];
}

/** A panel for each head of the largest slice. */
export function panelsScratch(sizes: AttentionSizes, traits: Traits): Scratch {
  return { dtype: "f32", length: groupOf(sizes, traits) * panelLength(sizes) };
}

const WORKGROUP = 16;
/** Of the panels of one slice: more would only leave the caches. */
const PANEL_BYTES = 32 * 1024 * 1024;

interface Slice {
  /** Heads are counted through the batch. */
  readonly first: number;
  readonly group: number;
}

function padded(T: number): number {
  return Math.ceil(T / 8) * 8;
}

function packs({ D }: AttentionSizes): number {
  return D % 4 === 0 ? D / 4 : D;
}

function tiles({ T }: AttentionSizes): number {
  return (padded(T) / 8) * (padded(T) / 4);
}

/** panel_row() of attention/panels.wgsl, for each row. */
function panelLength({ T }: AttentionSizes): number {
  return padded(T) * (padded(T) + 4);
}

function groupOf(sizes: AttentionSizes, traits: Traits): number {
  const bytes = Math.min(PANEL_BYTES, traits.maxBindingBytes);
  return Math.max(1, Math.min(sizes.B * sizes.H, Math.floor(bytes / (panelLength(sizes) * BYTES_PER_ELEMENT))));
}

function slicesOf(sizes: AttentionSizes, traits: Traits): Slice[] {
  const heads = sizes.B * sizes.H;
  const group = groupOf(sizes, traits);
  const slices: Slice[] = [];
  for (let first = 0; first < heads; first += group) slices.push({ first, group: Math.min(group, heads - first) });
  return slices;
}

/** `items`: of work, for each head. */
function kernel(
  entry: `panel_${"scores" | "softmax" | "values" | "delta" | "backward_scores" | "backward_queries" | "backward_keys"}`,
  items: number,
  { first, group }: Slice,
  sizes: AttentionSizes,
  traits: Traits,
): Omit<Dispatch, "bind"> {
  const { B, T, H, D, scale, rate, stream } = sizes;
  const pack: ShaderName = D % 4 === 0 ? "lib/pack4" : "lib/pack1";
  const drops = entry === "panel_softmax" || entry === "panel_backward_scores";
  const dropout: ShaderName[] = drops ? ["lib/philox", "lib/step", "attention/kept"] : [];
  return {
    shader: [
      ...(["lib/grid", pack, "attention/common", bounds(sizes).shader, ...dropout] as const),
      ...(["attention/panels", `attention/${entry}`] as const),
    ],
    entry,
    constants: {
      ...{ B, T, H, SCALE: scale, FIRST: first, GROUP: group },
      ...(drops ? { RATE: rate, STREAM: stream } : {}),
    },
    sizes: { D, WORKGROUP },
    grid: grid1d(items * group, WORKGROUP, traits),
  };
}
