import type { DType } from "../../../core/dtype.ts";
import { type AttentionSizes, keptScale } from "../../attention-sizes.ts";
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
} from "../../dispatch.ts";
import type { Traits } from "../../traits.ts";
import { castDispatches } from "../cast.ts";
import { bounds, rowsOf, stepOf } from "./rows.ts";
import {
  type PanelForm,
  type PanelProducts,
  padded,
  panelsScratch,
  type Slice,
  slicesOf,
  type View,
  type Viewed,
  viewsOf,
} from "./slices.ts";

/**
 * Attention by products of panels: the scores of a few heads and rows at a time, in scratch that grows with T and not with
 * its square; wants scratch `panels`.
 */
export function panelsForward(sizes: AttentionSizes, form: PanelForm, traits: Traits): Dispatch[] {
  const { q, k, v, y } = viewsOf(sizes);
  return slicesOf(sizes, form, traits).flatMap((slice) => {
    const { scores, values } = form.products(slice, sizes, traits);
    const { softmax } = passes(slice, form, sizes, traits);
    return [...scores(["qkv", q], ["qkv", k], "panels"), softmax("panels"), ...values("panels", ["qkv", v], ["y", y])];
  });
}

/**
 * Wants `backwardScratch`. Gradients of keys and values are sums over all rows, and so over the slices of a head, which come
 * in the order of their rows; in f16 they would lose digits slice by slice, so they are summed apart.
 */
export function panelsBackward(sizes: AttentionSizes, form: PanelForm, traits: Traits): Dispatch[] {
  const { T, B, C, dtype } = sizes;
  const { q, k, v, y } = viewsOf(sizes);
  const sums = dtype === "f16" ? "sums" : "dqkv";
  const slices = slicesOf(sizes, form, traits).flatMap((slice) => {
    const { scores, values, keys } = form.products(slice, sizes, traits);
    const { slopes } = passes(slice, form, sizes, traits);
    return [
      ...scores(["qkv", q], ["qkv", k], "probabilities"),
      ...scores(["dy", y], ["qkv", v], "dscores"),
      slopes("probabilities", "dscores"),
      ...values("dscores", ["qkv", k], [sums, q]),
      ...keys("dscores", ["qkv", q], [sums, k]),
      ...keys("probabilities", ["dy", y], [sums, v]),
    ];
  });
  if (sums === "dqkv") return slices;
  const shape = [B * T, 3 * C];
  return [...slices, ...castDispatches({ [sums]: { dtype: "f32", shape } }, { dqkv: { dtype, shape } }, traits)];
}

/** Of panelsBackward. */
export function backwardScratch(sizes: AttentionSizes, form: PanelForm, traits: Traits): Record<string, Scratch> {
  const { B, T, C, dtype } = sizes;
  const panels = panelsScratch(sizes, form, traits);
  return {
    ...{ probabilities: panels, dscores: panels },
    ...(dtype === "f16" ? { sums: { dtype: "f32", length: B * T * 3 * C } } : {}),
  };
}

/**
 * Products by kernels of their own, 4 x 4 matrices in registers, which pass over what packed records do not see.
 * On software drivers private arrays are memory, and slow; these kernels have none.
 */
export const PANEL_KERNELS: PanelForm = {
  // More would cost memory, fewer a dispatch more often than it is worth.
  rows: 32,
  tile: 8,
  products: (slice, sizes, traits): PanelProducts => {
    const { from, rows, stretch } = slice;
    const { T, D, dtype } = sizes;
    const { bind: within } = bounds(sizes);
    const keysEnd = Math.min(padded(T), from + rows);
    const spanOf = ({ row }: View): Span | undefined => rowsOf(sizes, stretch, row);
    const weighted = (entry: "values" | "keys", panels: string, [source, x]: Viewed, [to, y]: Viewed): Dispatch => {
      const items = ((entry === "values" ? rows : keysEnd) / 8) * (D / packOf(sizes));
      const bind = [read(source, spanOf(x)), within, read(panels), write(to, spanOf(y))];
      const result = to === "sums" ? "f32" : dtype;
      return kernel(entry, items, slice, PANEL_KERNELS, sizes, traits, {
        library: ["attention/software/panel_put"],
        x,
        y,
        bind,
        result,
      });
    };
    return {
      scores: ([source, x], [other, y], panels) => {
        const bind = [read(source, spanOf(x)), within, read(other, spanOf(y)), write(panels)];
        return [kernel("scores", (rows / 8) * (keysEnd / 4), slice, PANEL_KERNELS, sizes, traits, { x, y, bind })];
      },
      values: (...operands) => [weighted("values", ...operands)],
      keys: (...operands) => [weighted("keys", ...operands)],
    };
  },
};

/** The passes over the panels of one slice. */
function passes(slice: Slice, form: PanelForm, sizes: AttentionSizes, traits: Traits) {
  const { stretch, rows } = slice;
  const step = stepOf(sizes);
  const { bind: within } = bounds(sizes);
  const library = ["lib/philox", "lib/step", "attention/software/kept"] as const;
  return {
    softmax: (panels: string) => {
      const bind = [step, within, write(panels), write("logSumExp")];
      return kernel("softmax", rows, slice, form, sizes, traits, { library, drops: true, bind });
    },
    slopes: (scores: string, dscores: string) => {
      const { y } = viewsOf(sizes);
      const span = rowsOf(sizes, stretch, y.row);
      const outputs = [read("y", span), read("dy", span)];
      const bind = [step, within, read("logSumExp"), ...outputs, write(scores), write(dscores)];
      return kernel("slopes", rows, slice, form, sizes, traits, { library, y, drops: true, bind });
    },
  };
}

const WORKGROUP = 16;
const NOWHERE: View = { row: 0, start: 0 };

function packOf({ D }: AttentionSizes): 1 | 4 {
  return D % 4 === 0 ? 4 : 1;
}

/** What one of the kernels of shaders/attention/software/panel_*.wgsl has of its own. */
interface PanelKernel {
  readonly library?: readonly ShaderName[];
  readonly x?: View;
  readonly y?: View;
  readonly drops?: boolean;
  readonly bind: readonly Binding[];
  /** The type of what is written. */
  readonly result?: DType;
}

/** `items`: of work, for each head. */
function kernel(
  name: "scores" | "softmax" | "values" | "keys" | "slopes",
  items: number,
  { stretch, first: FIRST, group: GROUP, from: FROM, rows: ROWS }: Slice,
  { tile: TILE }: PanelForm,
  sizes: AttentionSizes,
  traits: Traits,
  { library = [], x = NOWHERE, y = NOWHERE, drops = false, bind, result = sizes.dtype }: PanelKernel,
): Dispatch {
  const { T, H, D, scale, dropped, stream, dtype } = sizes;
  const pack = packOf(sizes);
  const entry = `panel_${name}` as const;
  return {
    shader: [
      ...(["lib/grid", `lib/pack${pack}`, storeShader(result, pack), "attention/software/panels"] as const),
      bounds(sizes).shader,
      ...library,
      `attention/software/${entry}`,
    ],
    entry,
    types: { X: storedType(dtype, pack) },
    uniforms: {
      ...{ T, H, PACKS: D / pack, FIRST, GROUP, B0: stretch.start, FROM, ROWS, TILE },
      ...{ X_ROW: x.row / pack, X_START: x.start / pack, Y_ROW: y.row / pack, Y_START: y.start / pack },
      SCALE: scale,
      ...(drops ? { DROPPED: dropped, KEPT: keptScale(dropped), STREAM: stream } : { DROPPED: 0, KEPT: 1, STREAM: 0 }),
    },
    ...(drops ? { constants: { DROPS: Number(dropped > 0) } } : {}),
    sizes: { WORKGROUP },
    bind,
    grid: grid1d(items * GROUP, WORKGROUP, traits),
  };
}
