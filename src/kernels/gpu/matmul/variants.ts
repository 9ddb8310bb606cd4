import { type FloatDType, WORD_BYTES } from "../../../core/dtype.ts";
import { compiles, type Extension, roomy, type ShaderName } from "../../dispatch.ts";
import { LONGEST_WHOLE, type Product, rowLengths, typesOf } from "../../product.ts";
import type { Traits } from "../../traits.ts";
import { DEPTH, type MatrixUnits, matrixForm, USUAL_LANES } from "./matrices.ts";
import { bestSplits, cyclesOf, mostSplits } from "./pace.ts";

/** One way to compute a product. A tuner may time those that fit and remember the fastest for an adapter and shape. */
export interface MatmulVariant {
  readonly name: string;
  /** Where it can be the fastest: on GPUs, on software drivers (their shaders are in folders of these names), or on both. */
  readonly wing: "gpu" | "software" | "both";
  /** The last of the joined shaders: it has the entry point. */
  readonly shader: ShaderName;
  /**
   * How it reads its operands: one element by one, in tiles of its own, in blocks of 4x4, in blocks that a subgroup shares, or in
   * blocks that it asks for long before it needs them, or in matrices; or b, of f16 or i8, 8 elements a load.
   */
  readonly reads: "elements" | "strides" | "blocks" | "parts" | "fetches" | "matrices" | "eights";
  /** Shaders that its own one needs before it. */
  readonly library: readonly ShaderName[];
  /** Rows and columns of y that a workgroup makes; one that reads elements makes as many in a row as it has invocations. */
  readonly tile: readonly [rows: number, columns: number];
  /** Invocations of a workgroup. */
  readonly invocations: number;
  /** What it takes of K at a time through workgroup memory; 0: nothing goes there. */
  readonly depth: number;
  /** The variant's own constants. */
  readonly constants: Readonly<Record<string, number>>;
  /** Blocks are read and written 4 elements at a time where rows are long enough; false: always one by one. */
  readonly vector: boolean;
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
  /** Invocations that a subgroup must have; 0: it uses none. */
  readonly subgroup: number;
  /** Invocations that its subgroups are made to have. */
  readonly subgroupSize?: number | undefined;
  /** WGSL extensions of its shaders. */
  readonly enable?: readonly Extension[];
  /** `const` lines and `alias` lines that its shaders want. */
  readonly sizes?: Readonly<Record<string, number>>;
  readonly types?: { readonly Component: FloatDType };
  /** One row of y has a form of its own, that holds no others. */
  readonly rowsAlone?: true;
  /** For invocations that have few registers: elsewhere others are faster. */
  readonly forFew?: true;
  /** It multiplies matrices of a size and type that the adapter decides: `fitVariant` fills in all that depends on those. */
  readonly matrices?: MatrixUnits;
  /** How fast it is where all of a GPU is busy, of the fastest that uses no matrix units; 1 where it is absent. */
  readonly pace?: number;
}

const REGISTERS = {
  wing: "both",
  shader: "matmul/registers_8x4",
  reads: "blocks",
  library: ["matmul/block", "matmul/place"],
  vector: true,
  depth: 0,
  workgroupBytes: 0,
  subgroup: 0,
} as const;

const SUBGROUPS = ["subgroups"] as const;

const STAGED = {
  ...REGISTERS,
  wing: "gpu",
  library: ["matmul/block", "matmul/place", "matmul/stage"],
  constants: {},
} as const;

/** As decoding has them. */
const VECTORS = {
  ...REGISTERS,
  pace: 0.4,
  wing: "gpu",
  shader: "matmul/gpu/vectors",
  library: ["matmul/block", "matmul/place", "matmul/gpu/plain_a"],
  invocations: 128,
  constants: {},
  workgroupBytes: 16384,
  rowsAlone: true,
} as const;

/** The same where b is f16 or i8, of which 8 elements are a load. Columns of a tile depend on how b lies. */
const EIGHTS = { ...VECTORS, shader: "matmul/gpu/eights", reads: "eights" } as const;

/** What tells the forms of shaders/matmul/gpu/staged.wgsl apart; see there. */
interface StagedForm {
  readonly HIGH: number;
  readonly WIDE: number;
  readonly BLOCKS: 2 | 4;
  readonly DEPTH: 8 | 16 | 32;
  readonly BUFFERS: 1 | 2;
}

function stagedForm(name: string, pace: number, form: StagedForm): MatmulVariant {
  const { HIGH, WIDE, BLOCKS, DEPTH, BUFFERS } = form;
  const tile = [4 * BLOCKS * HIGH, 8 * WIDE] as const;
  return {
    ...STAGED,
    ...{ name, pace, tile, depth: DEPTH, invocations: HIGH * WIDE, sizes: { ...form } },
    reads: "fetches",
    shader: "matmul/gpu/staged",
    types: { Component: "f32" },
    workgroupBytes: (tile[0] + tile[1]) * DEPTH * BUFFERS * WORD_BYTES,
  };
}

/** What tells the forms of shaders/matmul/gpu/staged_lines.wgsl apart; see there. */
interface LinesForm {
  readonly HIGH: number;
  readonly WIDE: number;
  readonly DEPTH: 8 | 16;
}

/** Between what lies 4 of K apart in workgroup memory are 8 vectors in all. */
const LINES_GAP = 32;

function linesForm(name: string, pace: number, form: LinesForm): MatmulVariant {
  const { HIGH, WIDE, DEPTH } = form;
  const tile = [4 * HIGH, 8 * WIDE] as const;
  return {
    ...STAGED,
    ...{ name, pace, tile, depth: DEPTH, invocations: HIGH * WIDE, sizes: { ...form } },
    reads: "fetches",
    shader: "matmul/gpu/staged_lines",
    types: { Component: "f32" },
    workgroupBytes: ((tile[0] + tile[1]) * DEPTH + 2 * 4 * LINES_GAP) * WORD_BYTES,
    forFew: true,
  };
}

/** Their tiles, invocations and memory are those of the adapter's matrices. */
const MATRICES = {
  ...STAGED,
  enable: ["subgroups", "chromium_experimental_subgroup_matrix"],
  tile: [0, 0],
  invocations: 0,
  depth: DEPTH,
} as const;

const PANELS = {
  ...MATRICES,
  reads: "fetches",
  library: ["matmul/block", "matmul/place", "matmul/gpu/panels", "matmul/gpu/units"],
} as const;

const DIRECT = {
  ...MATRICES,
  reads: "matrices",
  depth: 0,
  library: ["matmul/block", "matmul/place", "matmul/gpu/direct", "matmul/gpu/units"],
} as const;

export const matmulVariants: readonly MatmulVariant[] = [
  {
    name: "naive",
    wing: "both",
    shader: "matmul/naive",
    reads: "elements",
    library: [],
    tile: [1, 64],
    invocations: 64,
    depth: 0,
    constants: { GROUP: 64 },
    vector: false,
    workgroupBytes: 0,
    subgroup: 0,
  },
  { ...REGISTERS, name: "registers", pace: 0.2, tile: [8, 32], invocations: 8, constants: { WIDE: 8, HIGH: 1 } },
  {
    ...REGISTERS,
    name: "registers-scalar",
    tile: [8, 32],
    invocations: 8,
    constants: { WIDE: 8, HIGH: 1 },
    vector: false,
  },
  {
    ...REGISTERS,
    name: "registers-wide",
    pace: 0.55,
    tile: [8, 128],
    invocations: 32,
    constants: { WIDE: 32, HIGH: 1 },
  },
  {
    ...REGISTERS,
    name: "subgroup8",
    wing: "software",
    shader: "matmul/software/subgroup8_16x4",
    reads: "parts",
    library: ["matmul/software/share8", "matmul/block", "matmul/place"],
    tile: [16, 32],
    invocations: 8,
    constants: {},
    subgroup: 8,
    enable: SUBGROUPS,
  },
  {
    ...REGISTERS,
    name: "subgroup4",
    wing: "software",
    shader: "matmul/software/subgroup4_32x8",
    reads: "strides",
    library: ["matmul/place"],
    tile: [32, 32],
    invocations: 4,
    constants: {},
    vector: false,
    subgroup: 4,
    enable: SUBGROUPS,
  },
  {
    ...REGISTERS,
    name: "subgroup4-narrow",
    wing: "software",
    shader: "matmul/software/subgroup4_16x4",
    reads: "parts",
    library: ["matmul/software/share4", "matmul/block", "matmul/place"],
    tile: [16, 16],
    invocations: 4,
    constants: {},
    subgroup: 4,
    enable: SUBGROUPS,
  },
  {
    ...REGISTERS,
    name: "subgroup8-few",
    wing: "software",
    shader: "matmul/software/subgroup8_8x4",
    reads: "parts",
    library: ["matmul/software/share8", "matmul/block", "matmul/place"],
    tile: [8, 32],
    invocations: 8,
    constants: {},
    subgroup: 8,
    enable: SUBGROUPS,
  },
  {
    ...REGISTERS,
    name: "subgroup8-few-wide",
    wing: "software",
    shader: "matmul/software/subgroup8_8x8",
    reads: "parts",
    library: ["matmul/software/share8", "matmul/block", "matmul/place"],
    tile: [8, 64],
    invocations: 8,
    constants: {},
    subgroup: 8,
    enable: SUBGROUPS,
  },
  {
    ...REGISTERS,
    name: "subgroup4-few",
    wing: "software",
    shader: "matmul/software/subgroup4_8x8",
    reads: "parts",
    library: ["matmul/software/share4", "matmul/block", "matmul/place"],
    tile: [8, 32],
    invocations: 4,
    constants: {},
    subgroup: 4,
    enable: SUBGROUPS,
  },
  {
    ...STAGED,
    name: "staged32",
    shader: "matmul/gpu/staged_32x32",
    tile: [32, 32],
    invocations: 64,
    depth: 16,
    workgroupBytes: 4096,
    pace: 0.55,
  },
  stagedForm("staged64", 0.85, { HIGH: 8, WIDE: 8, BLOCKS: 2, DEPTH: 16, BUFFERS: 1 }),
  stagedForm("staged64-double", 0.85, { HIGH: 8, WIDE: 8, BLOCKS: 2, DEPTH: 16, BUFFERS: 2 }),
  stagedForm("staged128x64", 0.95, { HIGH: 16, WIDE: 8, BLOCKS: 2, DEPTH: 16, BUFFERS: 1 }),
  stagedForm("staged128x64-double", 0.95, { HIGH: 16, WIDE: 8, BLOCKS: 2, DEPTH: 16, BUFFERS: 2 }),
  stagedForm("staged128", 1, { HIGH: 16, WIDE: 16, BLOCKS: 2, DEPTH: 16, BUFFERS: 1 }),
  stagedForm("staged128-double", 1, { HIGH: 16, WIDE: 16, BLOCKS: 2, DEPTH: 16, BUFFERS: 2 }),
  stagedForm("staged128-deep", 1, { HIGH: 16, WIDE: 16, BLOCKS: 2, DEPTH: 32, BUFFERS: 1 }),
  stagedForm("staged128-tall", 1, { HIGH: 8, WIDE: 16, BLOCKS: 4, DEPTH: 16, BUFFERS: 2 }),
  linesForm("lines128", 1, { HIGH: 32, WIDE: 16, DEPTH: 16 }),
  linesForm("lines64", 0.95, { HIGH: 16, WIDE: 8, DEPTH: 8 }),
  { ...VECTORS, name: "vectors", tile: [8, 32], sizes: { COLUMN_LANES: 8, K_LANES: 16 } },
  // Four times as many workgroups, and rows of b in pieces of 32 bytes, as memory gives them.
  { ...VECTORS, name: "vectors-narrow", tile: [8, 8], sizes: { COLUMN_LANES: 2, K_LANES: 64 } },
  { ...EIGHTS, name: "eights", tile: [8, 32], sizes: { COLUMN_LANES: 4, K_LANES: 32 } },
  // Twice as many invocations a column: where columns are few, all of a short K is asked for at once.
  {
    ...EIGHTS,
    name: "eights-narrow",
    tile: [8, 16],
    invocations: 256,
    workgroupBytes: 32768,
    sizes: { COLUMN_LANES: 2, K_LANES: 128 },
  },
  {
    ...PANELS,
    name: "matrix2x2",
    shader: "matmul/gpu/panels_2x2",
    matrices: { units: [2, 2], sums: [2, 2], from: "panels" },
  },
  {
    ...PANELS,
    name: "matrix2x2-turned",
    shader: "matmul/gpu/panels_2x2",
    matrices: { units: [2, 2], sums: [2, 2], from: "panels", turned: true },
  },
  {
    ...PANELS,
    name: "matrix2x2-many",
    shader: "matmul/gpu/panels_2x2",
    matrices: { units: [4, 4], sums: [2, 2], from: "panels" },
  },
  {
    ...PANELS,
    name: "matrix4x2",
    shader: "matmul/gpu/panels_4x2",
    matrices: { units: [2, 4], sums: [4, 2], from: "panels" },
  },
  {
    ...PANELS,
    name: "matrix4x2-turned",
    shader: "matmul/gpu/panels_4x2",
    matrices: { units: [2, 4], sums: [4, 2], from: "panels", turned: true },
  },
  {
    ...PANELS,
    name: "matrix4x2-deep",
    shader: "matmul/gpu/panels_4x2",
    depth: 64,
    matrices: { units: [2, 4], sums: [4, 2], from: "panels", depth: 64 },
  },
  {
    ...PANELS,
    name: "matrix4x2-small",
    shader: "matmul/gpu/panels_4x2",
    matrices: { units: [1, 4], sums: [4, 2], from: "panels", stages: 2 },
  },
  {
    ...PANELS,
    name: "matrix4x4",
    shader: "matmul/gpu/panels_4x4",
    matrices: { units: [2, 2], sums: [4, 4], from: "panels" },
  },
  {
    ...PANELS,
    name: "matrix4x4-double",
    shader: "matmul/gpu/panels_4x4",
    matrices: { units: [2, 2], sums: [4, 4], from: "panels", stages: 2 },
  },
  {
    ...PANELS,
    name: "matrix4x4-wide",
    shader: "matmul/gpu/panels_4x4",
    matrices: { units: [2, 4], sums: [4, 4], from: "panels" },
  },
  {
    ...DIRECT,
    name: "direct4x2",
    shader: "matmul/gpu/direct_4x2",
    matrices: { units: [2, 4], sums: [4, 2], from: "operands" },
  },
  {
    ...DIRECT,
    name: "direct4x4",
    shader: "matmul/gpu/direct_4x4",
    matrices: { units: [2, 2], sums: [4, 4], from: "operands" },
  },
];

export function variantNamed(name: string): MatmulVariant {
  const found = matmulVariants.find((variant) => variant.name === name);
  if (found) return found;
  throw new Error(`matmul: no variant "${name}"; there are ${matmulVariants.map((v) => v.name).join(", ")}`);
}

/** What dispatches call it. */
export function variantName({ name }: Pick<MatmulVariant, "name">): string {
  return `matmul ${name}`;
}

/** A variant as an adapter runs it on this product; undefined where it cannot. */
export function fitVariant(variant: MatmulVariant, product: Product, traits: Traits): MatmulVariant | undefined {
  if (!compiles(variantName(variant), traits)) return undefined;
  if (typesOf(product).b === "i8" && !readsBytes(variant)) return undefined;
  const form = variant.matrices ? matrixForm(variant.matrices, product, traits) : rowsForm(variant, product);
  if (!form) return undefined;
  const blocks = variant.reads !== "elements" && !variant.matrices;
  const filled = { ...variant, ...(blocks ? roomy(variant.invocations, traits) : {}), ...form };
  const fits =
    filled.invocations <= traits.maxInvocations &&
    filled.workgroupBytes <= traits.maxWorkgroupBytes &&
    (filled.subgroup === 0 || (traits.subgroups && filled.subgroup <= traits.subgroupMinSize));
  return fits ? filled : undefined;
}

/** Whether it can be told to read a b of i8. */
export function readsBytes({ reads, vector }: Pick<MatmulVariant, "reads" | "vector">): boolean {
  return vector && (reads === "eights" || reads === "blocks" || reads === "parts");
}

/** How many rows of y a workgroup holds, where it is told; undefined where b is not what it reads. */
function rowsForm(variant: MatmulVariant, product: Product): Partial<MatmulVariant> | undefined {
  const { rowsAlone, tile, reads, workgroupBytes } = variant;
  if (!rowsAlone) return {};
  const sizes = reads === "eights" ? eightsSizes(variant, product) : variant.sizes;
  if (!sizes) return undefined;
  if (product.M > 1) return { sizes: { ...sizes, ROWS: tile[0] } };
  return { tile: [1, tile[1]], sizes: { ...sizes, ROWS: 1 }, workgroupBytes: workgroupBytes / tile[0] };
}

/** Elements of f16 or i8 in a load. */
const LOADED = 8;

/** Of a tile as wide however b lies: rows of b are whole loads, and so is what a block takes of K. */
function eightsSizes({ sizes: { COLUMN_LANES = 0, K_LANES = 0 } = {} }: MatmulVariant, product: Product) {
  const { transposeA, transposeB, K } = product;
  const whole = rowLengths(product).b % LOADED === 0 && rowLengths(product).a % 4 === 0;
  if (typesOf(product).b === "f32" || transposeA || !whole || K === 0 || K % (transposeB ? LOADED : 4) !== 0)
    return undefined;
  if (!transposeB) return { COLUMN_LANES, K_LANES, FOURS: 2, ALONG_K: 0 };
  return { COLUMN_LANES: 2 * COLUMN_LANES, K_LANES: K_LANES / 2, FOURS: 1, ALONG_K: 1 };
}

/** Products of up to so many rows are bound by reading b. */
export const FEW_ROWS = 8;
/** Of so many columns, 32 to a workgroup, a large GPU has too few workgroups: 64 on 132 units. */
const FEW_COLUMNS = 2048;
/** Invocations that keep a GPU busy: 512 subgroups of 32, some for each unit of most; more would only cost another pass. */
const BUSY_INVOCATIONS = 16384;
/** Kernels on matrix units wait for memory longer than they multiply: a large GPU (132 cores) wants two workgroups of 256 a core. */
const BUSY_ON_UNITS = 65536;
/** So many at least, or smaller tiles are better. */
const FEW_INVOCATIONS = BUSY_INVOCATIONS / 2;

/** Whether a variant may be the fastest on this adapter. */
export function mayWin({ wing, forFew }: MatmulVariant, traits: Traits): boolean {
  // Where 64 sums only just fit, fewer may be faster.
  if (forFew && (traits.sumsHeld ?? 64) === 64 && !traits.fewRegisters) return false;
  return wing === "both" || wing === (traits.software ? "software" : "gpu");
}

/** What is used where nothing was tuned. */
export function defaultVariant(product: Product, traits: Traits): MatmulVariant {
  const names = traits.software ? softwareNames(product) : hardwareNames(product, traits);
  const fitting = names.flatMap((name) => fitVariant(variantNamed(name), product, traits) ?? []);
  const onUnits = fitting.filter(({ matrices }) => matrices);
  const [first, ...others] = onUnits.length > 0 ? onUnits : fitting;
  if (!first) return variantNamed(compiles(variantName({ name: "registers" }), traits) ? "registers" : "naive");
  if (traits.software || product.M <= FEW_ROWS) return first;
  if (!first.matrices) return fastestOf(product, fitting);
  // Large tiles read less, as long as they are not half empty, and a long K that is cut keeps a GPU busy as well as many tiles do.
  const suits = (variant: MatmulVariant): boolean =>
    variant.tile[0] < 2 * product.M &&
    variant.tile[1] < 2 * product.N &&
    mostSplits(product) * invocationsOf(product, variant) >= FEW_INVOCATIONS;
  return [first, ...others].find(suits) ?? others.at(-1) ?? first;
}

/** Of tiles that one invocation after the other multiplies; where nothing is faster, the first. */
function fastestOf(product: Product, variants: readonly MatmulVariant[]): MatmulVariant {
  const least = leastSplits(product);
  const cycles = (variant: MatmulVariant): number => cyclesOf(product, variant, bestSplits(product, variant, least));
  return variants.reduce((best, one) => (cycles(one) < cycles(best) ? one : best));
}

/** What `cyclesOf` knows of. */
export function isTiled({ M }: Product, { matrices, reads }: MatmulVariant): boolean {
  return M > FEW_ROWS && !matrices && reads !== "elements";
}

/** The fastest first. Rows of a transposed b are best read many at a time, those of a plain one few. */
function softwareNames({ M, transposeB }: Product): string[] {
  if (M > FEW_ROWS) return ["subgroup8", "subgroup4"];
  return [transposeB ? "subgroup8-few-wide" : "subgroup8-few", "subgroup4-few"];
}

/** What computes batches of small products well, if anything does; on software drivers with the pipelines of nearly all others. */
export function batchVariant(traits: Traits): MatmulVariant | undefined {
  const many = 4 * FEW_ROWS;
  const product = { M: many, N: many, K: many, transposeA: false, transposeB: false };
  const names = traits.software ? softwareNames(product) : ["staged32"];
  return names.map((name) => fitVariant(variantNamed(name), product, traits)).find((variant) => variant);
}

/** By the sums of an invocation. */
const TILES_BY_SUMS = {
  64: ["staged128", "staged128x64", "staged64", "staged32"],
  32: ["lines128", "lines64", "staged32"],
  16: ["staged32"],
} as const;

/** Matrix units first, where the adapter has them for these types: they multiply many times faster than all else. Large tiles first. */
function hardwareNames({ M, N }: Product, { subgroupMaxSize, sumsHeld = 64 }: Traits): string[] {
  if (M <= FEW_ROWS)
    return N > FEW_COLUMNS
      ? ["eights", "vectors", "registers-wide"]
      : ["eights-narrow", "eights", "vectors-narrow", "registers-wide"];
  // AMD's subgroups, which may have 64 lanes, load matrices that do not lie along k element by element; others turn them in hardware.
  const units = ["matrix4x2", "matrix2x2"].map((name) => (subgroupMaxSize > USUAL_LANES ? `${name}-turned` : name));
  return [...units, ...TILES_BY_SUMS[sumsHeld]];
}

/** Of all workgroups, K whole. */
function invocationsOf({ M, N }: Product, { tile, invocations }: MatmulVariant): number {
  return Math.ceil(M / tile[0]) * Math.ceil(N / tile[1]) * invocations;
}

/** A long K is cut in any case. */
function leastSplits({ K }: Product): number {
  return Math.max(1, Math.ceil(K / LONGEST_WHOLE));
}

/** Stretches that K is cut into where nothing was tuned: more than one where y has too few tiles to fill a GPU. */
export function defaultSplits(product: Product, variant: MatmulVariant, traits: Traits): number {
  if (traits.software || variant.reads === "elements") return 1;
  if (isTiled(product, variant)) return bestSplits(product, variant, leastSplits(product));
  const busy = variant.matrices ? BUSY_ON_UNITS : BUSY_INVOCATIONS;
  const wanted = Math.floor(busy / invocationsOf(product, variant));
  return Math.max(1, Math.min(wanted, mostSplits(product)));
}
