import { type AttentionSizes, keptScale } from "../../attention-sizes.ts";
import { type Dispatch, gridOf, read, roomy, storedType, storeShader, write } from "../../dispatch.ts";
import type { Range } from "../../product.ts";
import type { Traits } from "../../traits.ts";
import { bounds, rowsOf, stepOf, stretchesOf } from "./rows.ts";

/**
 * Kernels whose workgroups have a tile of queries, or of keys, and go through the others tile by tile, all of it in workgroup memory
 * (shaders/attention/gpu/tiles.wgsl): each number that is loaded serves many products.
 */
export interface TileForm {
  /** Rows that a workgroup goes through at a time. */
  readonly other: number;
  /** Invocations of a workgroup, which share its work: more of them hold less in registers and read workgroup memory more often. */
  readonly invocations: Readonly<Record<Entry, number>>;
}

type Entry = "forward" | "queries" | "keys";

/** The ones are measured, to choose among: none is the best for all GPUs. */
export const TILE_FORMS = {
  tiles64: { other: 64, invocations: { forward: 64, queries: 128, keys: 128 } },
  "tiles64-wide": { other: 64, invocations: { forward: 128, queries: 256, keys: 256 } },
  // for few registers: a block of 4 x 4 an invocation
  "tiles64-widest": { other: 64, invocations: { forward: 256, queries: 256, keys: 256 } },
  tiles32: { other: 32, invocations: { forward: 64, queries: 64, keys: 64 } },
  "tiles32-wide": { other: 32, invocations: { forward: 128, queries: 128, keys: 128 } },
} as const satisfies Readonly<Record<string, TileForm>>;

export type TileChoice = keyof typeof TILE_FORMS;

export const TILE_CHOICES = Object.keys(TILE_FORMS) as readonly TileChoice[];

/** How a form computes one kernel. */
interface Tile {
  readonly own: number;
  readonly other: number;
  readonly invocations: number;
  /** In workgroup memory, vec4s for 4 rows; and of how many pages the own tile has room. */
  readonly page: number;
  readonly ownPages: number;
  /** Invocations side by side: the others are below them. */
  readonly across: number;
}

/** Undefined where a form does not suit heads of this size, or the adapter has not the memory for it. */
export function tileForm(name: TileChoice, { D }: Pick<AttentionSizes, "D">, traits: Traits): TileForm | undefined {
  const form = TILE_FORMS[name];
  const fits = (Object.keys(form.invocations) as Entry[]).every((entry) => tileOf(form, entry, D, traits));
  return fits ? form : undefined;
}

/** A vec4. */
const CELL_BYTES = 16;
/** Sizes of heads. */
const HEADS = [16, 32, 64];
/** Rows that a workgroup has: the more, the better, as far as its memory goes. */
const OWN = [64, 32];
const LEAST_INVOCATIONS = 64;
/** Invocations below each other: fewer would read the same banks of workgroup memory at a time. */
const LEAST_DOWN = 8;

function tileOf({ other, invocations }: TileForm, entry: Entry, D: number, traits: Traits): Tile | undefined {
  if (!HEADS.includes(D)) return undefined;
  // A page for 4 rows of a tile, or for the weights of 4 others, which take the place of own rows.
  const page = (own: number): number => Math.max(D, own);
  const ownPages = (own: number): number => Math.max(own, other) / 4;
  const own = OWN.find(
    (rows) => CELL_BYTES * page(rows) * (ownPages(rows) + (2 * other) / 4) <= traits.maxWorkgroupBytes,
  );
  if (!own) return undefined;
  // As many invocations as there are blocks for.
  const widest = Math.min(D / 4, other / 4);
  for (let count = Math.min(invocations[entry], traits.maxInvocations); count >= LEAST_INVOCATIONS; count /= 2) {
    for (let down = LEAST_DOWN; down <= own / 4; down *= 2) {
      const across = count / down;
      if (across <= widest) return { own, other, page: page(own), ownPages: ownPages(own), invocations: count, across };
    }
  }
  return undefined;
}

export function tilesForward(sizes: AttentionSizes, form: TileForm, traits: Traits): Dispatch[] {
  return stretchesOf(sizes, traits).map((stretch) => {
    const [wide, narrow] = spansOf(sizes, stretch);
    const bind = [read("qkv", wide), bounds(sizes).bind, stepOf(sizes), write("y", narrow), write("logSumExp")];
    return { ...kernel("forward", stretch, sizes, form, traits), bind };
  });
}

/** Wants scratch `delta`, [B H T]. */
export function tilesBackward(sizes: AttentionSizes, form: TileForm, traits: Traits): Dispatch[] {
  return stretchesOf(sizes, traits).flatMap((stretch) => {
    const [wide, narrow] = spansOf(sizes, stretch);
    const shared = [read("qkv", wide), bounds(sizes).bind, stepOf(sizes)];
    const dy = read("dy", narrow);
    const forQueries = [read("y", narrow), read("logSumExp"), dy, write("dqkv", wide), write("delta")];
    const forKeys = [read("logSumExp"), dy, read("delta"), write("dqkv", wide)];
    return [
      { ...kernel("queries", stretch, sizes, form, traits), bind: [...shared, ...forQueries] },
      { ...kernel("keys", stretch, sizes, form, traits), bind: [...shared, ...forKeys] },
    ];
  });
}

function spansOf(sizes: AttentionSizes, stretch: Range) {
  return [rowsOf(sizes, stretch, 3 * sizes.C), rowsOf(sizes, stretch, sizes.C)] as const;
}

function kernel(
  entry: Entry,
  stretch: Range,
  sizes: AttentionSizes,
  form: TileForm,
  traits: Traits,
): Omit<Dispatch, "bind"> {
  const { T, H, D, scale, dropped, stream, dtype } = sizes;
  const tile = tileOf(form, entry, D, traits);
  if (!tile) throw new Error(`attention: tiles of ${form.other} rows do not fit heads of ${D} columns here`);
  const name = `tile_${entry}` as const;
  return {
    shader: [
      ...(["lib/grid", "lib/philox", "lib/step", "lib/pack4", storeShader(dtype, 4)] as const),
      ...(["attention/gpu/common", "attention/gpu/drops", "attention/gpu/tiles"] as const),
      ...([bounds(sizes).shader, `attention/gpu/${name}`] as const),
    ],
    entry: name,
    types: { X: storedType(dtype, 4) },
    uniforms: {
      ...{ B: stretch.length, B0: stretch.start, T, H, SCALE: scale },
      ...{ DROPPED: dropped, KEPT: keptScale(dropped), STREAM: stream },
    },
    constants: { DROPS: Number(dropped > 0) },
    sizes: {
      ...{ D, OWN: tile.own, OTHER: tile.other, PAGE: tile.page, OWN_PAGES: tile.ownPages },
      ...{ ACROSS: tile.across, WORKGROUP: tile.invocations },
    },
    ...roomy(tile.invocations, traits),
    grid: gridOf(stretch.length * H * Math.ceil(T / tile.own), traits),
  };
}
