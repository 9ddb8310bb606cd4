import { type AttentionSizes, keptScale } from "../../attention-sizes.ts";
import { type Dispatch, gridOf, read, type ShaderName, storedType, write } from "../../dispatch.ts";
import type { Range } from "../../product.ts";
import type { Traits } from "../../traits.ts";
import { pinnedLanes } from "../matmul/matrices.ts";
import { bindingsOf, bounds, stretchesOf } from "./rows.ts";

type Entry = "forward" | "backward_queries" | "backward_keys";

/** What shaders/attention/gpu/matrix_common.wgsl leaves open. */
interface Form {
  /**
   * How what streams by comes to the units of a workgroup: through workgroup memory, so that they share it, read by elements or copied as
   * whole matrices; or each reads it from the tensors.
   */
  readonly reads: "elements" | "copies" | "tensors";
  /** Units of 16 rows that a workgroup holds at most, a subgroup each, and rows that stream by at a time. */
  readonly parts: Readonly<Record<Entry, Part>>;
}

interface Part {
  readonly units: number;
  readonly tile: number;
}

const FOUR_SHORT = { units: 4, tile: 16 };
const FOUR_LONG = { units: 4, tile: 32 };
const EIGHT_SHORT = { units: 8, tile: 16 };

const FORMS = {
  matrices: {
    reads: "elements",
    parts: { forward: FOUR_LONG, backward_queries: FOUR_SHORT, backward_keys: FOUR_SHORT },
  },
  "matrices-wide": {
    reads: "elements",
    parts: { forward: EIGHT_SHORT, backward_queries: EIGHT_SHORT, backward_keys: EIGHT_SHORT },
  },
  "matrices-copied": {
    reads: "copies",
    parts: { forward: FOUR_LONG, backward_queries: FOUR_SHORT, backward_keys: FOUR_SHORT },
  },
  "matrices-direct": {
    reads: "tensors",
    parts: { forward: FOUR_LONG, backward_queries: FOUR_LONG, backward_keys: FOUR_LONG },
  },
} as const satisfies Readonly<Record<string, Form>>;

export type MatricesChoice = keyof typeof FORMS;

export function isMatrices(choice: unknown): choice is MatricesChoice {
  return typeof choice === "string" && choice in FORMS;
}

/** Sides of the matrices that the kernels are written for. */
const SIDE = 16;
/** Invocations that take the rows of a unit; subgroups must not have more. */
const LANES = 32;

type Sizes = Pick<AttentionSizes, "T" | "D" | "dtype">;

/** Ways that this adapter can compute attention of these sizes on matrix units. */
export function matricesFor(sizes: Sizes, traits: Traits): MatricesChoice[] {
  const { T, D, dtype } = sizes;
  const { subgroups, quads, subgroupSizeControl, subgroupMinSize, subgroupMaxSize, subgroupMatrices } = traits;
  if (dtype !== "f16" || D % SIDE !== 0 || T < SIDE) return [];
  const lanes = subgroupSizeControl ? subgroupMinSize : subgroupMaxSize;
  const has = subgroupMatrices.some(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === "f16" && resultComponentType === "f32" && M === SIDE && N === SIDE && K === SIDE,
  );
  if (!subgroups || !quads || !has || lanes > LANES) return [];
  return Object.keys(FORMS)
    .filter(isMatrices)
    .filter((name) => {
      const units = ENTRIES.map((entry) => partOf(entry, FORMS[name], D, traits).units);
      // a wide one whose workgroups are no larger is another's like
      return units.every((n) => n > 0) && (name !== "matrices-wide" || units.some((n) => n > FOUR_SHORT.units));
    });
}

const ENTRIES = ["forward", "backward_queries", "backward_keys"] as const;

/** What workgroup memory has room for: shorter tiles, then fewer units; 0 of them where there is none. */
function partOf(entry: Entry, form: Form, D: number, traits: Traits): Part {
  let { units, tile } = form.parts[entry];
  const fits = (): boolean => bytesOf(entry, form, { units, tile }, D) <= traits.maxWorkgroupBytes;
  if (!fits()) tile = SIDE;
  // WebGPU wants workgroups of a multiple of what a subgroup has at most.
  const whole = (): boolean => units * LANES <= traits.maxInvocations && (units * LANES) % traits.subgroupMaxSize === 0;
  while (units > 0 && !(fits() && whole())) units = Math.floor(units / 2);
  return { units, tile };
}

/** Bytes of a matrix in workgroup memory, with what is between its rows. */
const WHOLE_BYTES = SIDE * 20 * 4;
const HALF_BYTES = SIDE * 24 * 2;
const STAGED_BYTES = SIDE * 25 * 2;

function bytesOf(entry: Entry, { reads }: Form, { units, tile }: Part, D: number): number {
  const whole = entry === "forward" ? 1 : 2;
  const half = entry === "backward_keys" ? 2 : 1;
  const words = units * (tile + SIDE) + 1;
  const held = units * (tile / SIDE) * (whole * WHOLE_BYTES + half * HALF_BYTES);
  return held + stagedOf(reads, tile, D) * STAGED_BYTES + 4 * words;
}

/** Matrices of what streams by: two tensors, two tiles of each. */
function stagedOf(reads: Form["reads"], tile: number, D: number): number {
  return reads === "tensors" ? 1 : 4 * (tile / SIDE) * (D / SIDE);
}

export function matricesForward(sizes: AttentionSizes, choice: MatricesChoice, traits: Traits): Dispatch[] {
  return stretchesOf(sizes, traits).map((stretch) => {
    const { shared, narrow } = bindingsOf(sizes, stretch);
    return {
      ...kernel("forward", stretch, sizes, FORMS[choice], traits),
      bind: [...shared, write("y", narrow), write("logSumExp")],
    };
  });
}

/** Wants scratch `delta`, [B H T, 2]. */
export function matricesBackward(sizes: AttentionSizes, choice: MatricesChoice, traits: Traits): Dispatch[] {
  return stretchesOf(sizes, traits).flatMap((stretch) => {
    const { shared, narrow, wide } = bindingsOf(sizes, stretch);
    const dy = read("dy", narrow);
    const forQueries = [read("y", narrow), read("logSumExp"), dy, write("dqkv", wide), write("delta")];
    const forKeys = [read("logSumExp"), dy, read("delta"), write("dqkv", wide)];
    return [
      { ...kernel("backward_queries", stretch, sizes, FORMS[choice], traits), bind: [...shared, ...forQueries] },
      { ...kernel("backward_keys", stretch, sizes, FORMS[choice], traits), bind: [...shared, ...forKeys] },
    ];
  });
}

const SHADERS = {
  forward: "attention/gpu/matrix_forward",
  backward_queries: "attention/gpu/matrix_queries",
  backward_keys: "attention/gpu/matrix_keys",
} as const;

/** Those that read whole matrices from tensors. */
const WHOLE = {
  forward: ["attention/gpu/matrix_whole_keys"],
  backward_queries: ["attention/gpu/matrix_whole_keys", "attention/gpu/matrix_whole_dy"],
  backward_keys: ["attention/gpu/matrix_whole_queries"],
} as const satisfies Readonly<Record<Entry, readonly ShaderName[]>>;

function kernel(
  entry: Entry,
  stretch: Range,
  sizes: AttentionSizes,
  form: Form,
  traits: Traits,
): Omit<Dispatch, "bind"> {
  const { T, H, D, scale, dropped, stream } = sizes;
  const { units, tile } = partOf(entry, form, D, traits);
  const subgroupSize = pinnedLanes(traits);
  const elements = form.reads === "elements";
  return {
    shader: [
      ...(["lib/grid", "lib/philox", "lib/step", "lib/pack1", "lib/store_f16x4"] as const),
      ...(["attention/gpu/common", "attention/gpu/drops", "attention/gpu/matrix_common"] as const),
      ...(elements ? (["attention/gpu/matrix_elements"] as const) : WHOLE[entry]),
      ...([bounds(sizes).shader, SHADERS[entry]] as const),
    ],
    entry,
    enable: ["subgroups", "chromium_experimental_subgroup_matrix"],
    types: { X: storedType("f16", elements ? 4 : 1) },
    uniforms: {
      ...{ B: stretch.length, B0: stretch.start, T, H, SCALE: scale },
      ...{ DROPPED: dropped, KEPT: keptScale(dropped), STREAM: stream },
    },
    constants: { DROPS: Number(dropped > 0) },
    sizes: {
      ...{ D, WORKGROUP: units * LANES, UNITS: units, TILE: tile },
      ...{ STAGED: Number(form.reads !== "tensors"), MATRICES_STAGED: stagedOf(form.reads, tile, D) },
    },
    ...(subgroupSize ? { subgroupSize } : {}),
    grid: gridOf(stretch.length * H * Math.ceil(T / (units * SIDE)), traits),
  };
}
