import { type AttentionAttrs, attentionBackwardOp, attentionOp, sizesOf } from "../attention.ts";
import type { AttentionSizes } from "../attention-sizes.ts";
import { compiles, type Dispatch, ofVariant, type Scratch } from "../dispatch.ts";
import type { Traits } from "../traits.ts";
import { type AttentionChoice, attentionClass } from "../tuning.ts";
import {
  isMatrices,
  type MatricesChoice,
  matricesBackward,
  matricesFor,
  matricesForward,
} from "./attention/matrices.ts";
import { backwardScratch, PANEL_KERNELS, panelsBackward, panelsForward } from "./attention/panels.ts";
import { attentionProducts } from "./attention/products.ts";
import { type Lanes, quadsOf, rowsBackward, rowsForward } from "./attention/rows.ts";
import { type PanelForm, panelsScratch } from "./attention/slices.ts";
import { TILE_CHOICES, TILE_FORMS, type TileForm, tileForm, tilesBackward, tilesForward } from "./attention/tiles.ts";
import { gpuKernel } from "./kernel.ts";

export const attentionGpu = gpuKernel(attentionOp, {
  scratch: (inputs, attrs, traits): Readonly<Record<string, Scratch>> => {
    const sizes = sizesOf("attention", inputs, attrs);
    const form = formOf(attrs, sizes, traits);
    return isPanels(form) ? { panels: panelsScratch(sizes, form, traits) } : {};
  },
  gpu: (inputs, _outputs, attrs, traits) => {
    const sizes = sizesOf("attention", inputs, attrs);
    const form = formOf(attrs, sizes, traits);
    return named(forwardOf(form, sizes, traits), form, attrs);
  },
});

export const attentionBackwardGpu = gpuKernel(attentionBackwardOp, {
  scratch: (inputs, attrs, traits): Readonly<Record<string, Scratch>> => {
    const sizes = sizesOf("attentionBackward", inputs, attrs);
    const form = formOf(attrs, sizes, traits);
    const rows = inputs.logSumExp.shape[0] ?? 0;
    return isPanels(form)
      ? backwardScratch(sizes, form, traits)
      : { delta: { dtype: "f32", length: isMatrices(form) ? 2 * rows : rows } };
  },
  gpu: (inputs, _outputs, attrs, traits) => {
    const sizes = sizesOf("attentionBackward", inputs, attrs);
    const form = formOf(attrs, sizes, traits);
    return named(backwardOf(form, sizes, traits), form, attrs);
  },
});

/**
 * How the panels of scores are multiplied; where no score is kept, tiles, how many invocations share a row, or in which form matrices are
 * multiplied.
 */
type Form = PanelForm | TileForm | Lanes | MatricesChoice;

function isPanels(form: Form): form is PanelForm {
  return typeof form === "object" && "products" in form;
}

function formOf({ variant }: AttentionAttrs, sizes: AttentionSizes, traits: Traits): Form {
  const chosen = variant === "auto" ? traits.tuning?.attention[attentionClass(sizes)] : variant;
  const quads = quadsOf(sizes, traits);
  const usual = defaultForm(sizes, traits);
  const form = chosen ?? usual;
  const can = (name: AttentionChoice): boolean => compiles(variantName(name), traits);
  /** Matrices or tiles, if that is what is asked for, and they can be. */
  const blocksOf = (asked: AttentionChoice): MatricesChoice | TileForm | undefined => {
    if (isMatrices(asked)) return matricesFor(sizes, traits).includes(asked) && can(asked) ? asked : undefined;
    const name = TILE_CHOICES.find((choice) => choice === asked);
    return name && can(name) ? tileForm(name, sizes, traits) : undefined;
  };
  const unfit = isMatrices(form) || TILE_CHOICES.some((choice) => choice === form);
  // What cannot be is what it would be if nothing were asked for.
  const blocks = blocksOf(form) ?? (unfit ? blocksOf(usual) : undefined);
  if (blocks) return blocks;
  if ((form === "quads" || unfit) && quads.can && can("quads")) return quads.lanes;
  if ((form === "quads" || form === "rows" || unfit) && can("rows")) return 1;
  const products = form === "products" && can("products") && !sizes.packed;
  return (products && attentionProducts(sizes, traits)) || PANEL_KERNELS;
}

/** Rows where they suit the GPU; else tiles, each invocation of which makes blocks of 4 x 4. */
function defaultForm(sizes: AttentionSizes, traits: Traits): AttentionChoice {
  const { can, worth } = quadsOf(sizes, traits);
  if (traits.software) return "products";
  if (traits.attentionByTiles || (traits.fewRegisters && !can))
    return SMALL_TILES.find((name) => tileForm(name, sizes, traits)) ?? (worth ? "quads" : "rows");
  return worth ? "quads" : "rows";
}

const SMALL_TILES = ["tiles64-widest", "tiles32-wide"] as const;

function forwardOf(form: Form, sizes: AttentionSizes, traits: Traits): Dispatch[] {
  if (typeof form === "number") return rowsForward(sizes, form, traits);
  if (isMatrices(form)) return matricesForward(sizes, form, traits);
  return isPanels(form) ? panelsForward(sizes, form, traits) : tilesForward(sizes, form, traits);
}

function backwardOf(form: Form, sizes: AttentionSizes, traits: Traits): Dispatch[] {
  if (typeof form === "number") return rowsBackward(sizes, form, traits);
  if (isMatrices(form)) return matricesBackward(sizes, form, traits);
  return isPanels(form) ? panelsBackward(sizes, form, traits) : tilesBackward(sizes, form, traits);
}

/** What dispatches call it. */
function variantName(name: AttentionChoice): string {
  return `attention ${name}`;
}

/** Dispatches that say which variant they are, unless it was asked for by its name. */
function named(dispatches: readonly Dispatch[], form: Form, { variant }: AttentionAttrs): readonly Dispatch[] {
  return variant === "auto" ? ofVariant(variantName(choiceOf(form)), dispatches) : dispatches;
}

function choiceOf(form: Form): AttentionChoice {
  if (typeof form === "number") return form === 1 ? "rows" : "quads";
  if (isMatrices(form)) return form;
  if (isPanels(form)) return form === PANEL_KERNELS ? "panels" : "products";
  return TILE_CHOICES.find((name) => TILE_FORMS[name] === form)!;
}
