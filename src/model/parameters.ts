import { type Tape, VIEW_ALIGNMENT } from "../autograd/tape.ts";
import { bytesPerElement, type FloatDType, type Format } from "../core/dtype.ts";
import { userError } from "../core/errors.ts";
import { fillNormal, STREAM } from "../core/philox.ts";
import { NUMBERS_IN_WORD } from "../core/quantize.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import { LEAST_GROUP } from "../kernels/byte-matrix.ts";
import { cast } from "../kernels/cast.ts";
import type { Value } from "../kernels/op.ts";
import { ARENA, type ArenaLayout, cutArena, declareArena, declareSteps, type Stretch, stretchesOf } from "./arena.ts";
import { type Gpt2Config, parameterShapes } from "./config.ts";
import { fillLora, isCorrection, type LoraOptions, loraShapes } from "./lora.ts";
import { matchesPattern, requireMatches } from "./patterns.ts";

/** One parameter in the arena. */
export interface ParameterEntry {
  /** Hugging Face's name without the `transformer.` prefix. */
  readonly name: string;
  readonly shape: Shape;
  /** Elements from the arena's start. */
  readonly offset: number;
}

/** A stretch of the arena that the optimiser updates with one learning rate. */
export interface ParameterGroup {
  /** The pattern that its parameters were named by; `*` are those that no pattern names. */
  readonly name: string;
  /** What the schedule's learning rate is multiplied by. */
  readonly rateFactor: number;
  /** Elements from the arena's start; a multiple of 128. */
  readonly offset: number;
  /** Elements, padding included. */
  readonly size: number;
  /** Weight decay is for matrices: they come first in the group, and take so many elements. */
  readonly decayed: number;
}

/** Elements that every parameter starts at a multiple of, so that it can be bound in a copy of the arena in f16, too. */
const ALIGNMENT = VIEW_ALIGNMENT / bytesPerElement("f16");

/** Where each parameter lies in the one arena that they share. What trains comes first, group by group. */
export interface ParameterLayout extends ArenaLayout {
  readonly entries: readonly ParameterEntry[];
  /** Elements of the arena, padding included. */
  readonly size: number;
  /** Elements that train, padding included: so large are the arenas of gradients and moments, at the same offsets. */
  readonly trained: number;
  /** What trains. */
  readonly groups: readonly ParameterGroup[];
  /** Where the model has corrections beside its weights. */
  readonly lora?: LoraOptions | undefined;
}

/** A factor of the learning rate for the parameters that a pattern names; see `matchesPattern`. */
export interface RateFactor {
  readonly pattern: string;
  /** Above 0. */
  readonly factor: number;
}

export interface LayoutOptions {
  /** Patterns of parameters that stay as they are. */
  readonly freeze?: readonly string[] | undefined;
  /** Where several patterns name a parameter, the last one counts. */
  readonly rateFactors?: readonly RateFactor[] | undefined;
  /** Adds narrow matrices that train instead of the model's own parameters. */
  readonly lora?: LoraOptions | undefined;
  /**
   * "f16": matrices are kept in f16 alone, half the bytes, for who computes forward only; keys and values of generation, too. "i8": matrices but
   * the table of positions are whole numbers of 8 bits times steps, a quarter of the bytes. Nothing trains.
   */
  readonly precision?: Format | undefined;
  /** Most bytes of a state, for tests. */
  readonly partBytes?: number | undefined;
}

/** The name of the group of those that no pattern names. */
const REST = "*";

/** Lays the parameters of `config` out. Throws `UserError` on a pattern that names nothing, and if nothing would train. */
export function layoutParameters(config: Gpt2Config, options: LayoutOptions = {}): ParameterLayout {
  const { freeze = [], rateFactors = [], lora, partBytes, precision = "f32" } = options;
  const own = parameterShapes(config);
  const shapes: NamedShape[] = [...own, ...(lora ? loraShapes(config, lora) : [])];
  const names = shapes.map(([name]) => name);
  if (precision !== "f32") return layoutForward(config, options, precision, shapes);
  requireMatches("freeze", freeze, names);
  const frozen = (name: string): boolean =>
    (lora !== undefined && own.has(name)) || freeze.some((pattern) => matchesPattern(pattern, name));
  const trained = names.filter((name) => !frozen(name));
  if (trained.length === 0)
    userError(`freeze: ${freeze.join(", ")} names every parameter; nothing would train`, "usage");
  checkRateFactors(rateFactors, trained);
  const groupOf = (name: string): RateFactor | undefined =>
    rateFactors.findLast(({ pattern }) => matchesPattern(pattern, name));

  const { entries, place } = placement();
  const groups: ParameterGroup[] = [];
  for (const rate of [undefined, ...rateFactors]) {
    const members = shapes.filter(([name]) => !frozen(name) && groupOf(name) === rate);
    const offset = place([]);
    const decayed = place(members.filter(isMatrix)) - offset;
    const size = place(members.filter((member) => !isMatrix(member))) - offset;
    if (members.length === 0) continue;
    const { pattern: name, factor: rateFactor } = rate ?? { pattern: REST, factor: 1 };
    groups.push({ name, rateFactor, offset, size, decayed });
  }
  const end = place([]);
  const size = place(shapes.filter(([name]) => frozen(name)));
  return { entries, size, parts: cutArena(entries, size, partBytes), trained: end, groups, lora };
}

type NamedShape = readonly [name: string, shape: Shape];

function isMatrix([, shape]: NamedShape): boolean {
  return shape.length > 1;
}

/** Of a matrix of few rows, of which a token reads one, fewer bits save nothing. */
function isQuantized(member: NamedShape): boolean {
  return isMatrix(member) && member[0] !== "wpe.weight";
}

/** Numbers that share a step, in llama.cpp's Q8_0 half as many. Rows of matrices are whole groups. */
const GROUP = 64;

/** The largest group that rows of all matrices are whole numbers of. */
function groupOf({ width, innerWidth }: Gpt2Config): number {
  let group = GROUP;
  while (width % group !== 0 || innerWidth % group !== 0) group /= 2;
  if (group < LEAST_GROUP)
    userError(
      `weights in 8 bits want a width that is a multiple of ${LEAST_GROUP}; this model's are ${width} and, within its blocks, ${innerWidth}; use f32 or f16`,
      "usage",
    );
  return group;
}

/** Places parameters one behind the other; `place` says where those end that were placed so far. */
function placement() {
  const entries: ParameterEntry[] = [];
  let size = 0;
  const place = (chosen: readonly NamedShape[], alignment = ALIGNMENT): number => {
    for (const [name, shape] of chosen) {
      entries.push({ name, shape, offset: size });
      size += Math.ceil(sizeOf(shape) / alignment) * alignment;
    }
    return size;
  };
  return { entries, place };
}

/** Matrices in parts of f16 or i8, what else there is behind them in parts of f32. */
function layoutForward(
  config: Gpt2Config,
  { freeze, rateFactors, lora, partBytes }: LayoutOptions,
  precision: Exclude<Format, "f32">,
  shapes: NamedShape[],
) {
  if (freeze?.length || rateFactors?.length || lora)
    userError(
      `a layout in ${precision} is for computing forward: nothing of it trains; leave out ${lora ? "lora" : "freeze and rateFactors"}`,
      "usage",
    );
  const group = precision === "i8" ? groupOf(config) : undefined;
  const chosen = group ? isQuantized : isMatrix;
  const { entries, place } = placement();
  // Of i8 steps are bound, too, of which each is for a group.
  const matrices = place(shapes.filter(chosen), group && (VIEW_ALIGNMENT / bytesPerElement("f32")) * group);
  const count = entries.length;
  const size = place(shapes.filter((shape) => !chosen(shape)));
  const parts = [
    ...cutArena(entries.slice(0, count), matrices, partBytes, precision, group),
    ...cutArena(entries.slice(count), size, partBytes),
  ];
  return { entries, size, parts, trained: 0, groups: [], precision };
}

/** The parameters that train. */
export function trainedEntries({ entries, trained }: ParameterLayout): readonly ParameterEntry[] {
  return entries.filter(({ offset }) => offset < trained);
}

function checkRateFactors(rateFactors: readonly RateFactor[], trained: readonly string[]): void {
  const patterns = rateFactors.map(({ pattern }) => pattern);
  requireMatches("factors of the learning rate, of what trains", patterns, trained);
  for (const { pattern, factor } of rateFactors) {
    if (!(factor > 0 && Number.isFinite(factor)))
      userError(
        `factors of the learning rate: ${pattern} has ${factor}; wanted a number above 0, or freeze it`,
        "usage",
      );
  }
}

/** The parameters of a tape: the arena's parts, and a view for each name. */
export interface Parameters {
  readonly arena: readonly Value[];
  readonly views: ReadonlyMap<string, Value>;
  /** Of those that are whole numbers, whose views are words of four. */
  readonly steps: ReadonlyMap<string, Value>;
  /** Element type of what passes between the ops of a block, and of matrices, which may be f16 beside f32. */
  readonly precision: FloatDType;
  readonly lora?: LoraOptions | undefined;
}

/**
 * In f16, the views of matrices are of a copy in f16, which the tape makes anew whenever it runs; vectors stay f32. A layout in f16 has that
 * copy alone, one in i8 words and steps, and what is computed with it is f32 where `precision` does not say otherwise.
 */
export function declareParameters(tape: Tape, layout: ParameterLayout, precision: FloatDType = "f32"): Parameters {
  const arena = declareArena(tape, layout, ARENA.parameters);
  const forward = layout.precision !== undefined && layout.precision !== "f32";
  const matrices = forward ? arena : arena.map((part) => cast(part, precision));
  const allSteps = declareSteps(tape, layout);
  const views = new Map<string, Value>();
  const steps = new Map<string, Value>();
  for (const { name, shape, offset } of layout.entries) {
    const [{ part, offset: at }] = stretchesOf(layout.parts, offset, sizeOf(shape)) as [Stretch];
    const { group } = layout.parts[part]!;
    if (group) {
      // Of i8.
      const [rows = 0, columns = 0] = shape;
      views.set(name, tape.view(arena[part]!, at / NUMBERS_IN_WORD, [rows, columns / NUMBERS_IN_WORD]));
      steps.set(name, tape.view(allSteps[part]!, at / group, [rows, columns / group]));
    } else views.set(name, tape.view((shape.length > 1 ? matrices : arena)[part]!, at, shape));
  }
  return { arena, views, steps, precision, lora: layout.lora };
}

const DEVIATION = 0.02;

/**
 * GPT-2's initialisation (Radford et al. 2019): normal with deviation 0.02, scaled by 1/sqrt(2 L) for the projections
 * that add to the residual stream; gains 1, biases 0. A function of the seed alone.
 */
export function initialParameters(
  config: Gpt2Config,
  layout: ParameterLayout,
  seed: number,
): Float32Array<ArrayBuffer> {
  const arena = new Float32Array(layout.size);
  for (const { offset, data } of initialPieces(config, layout, seed)) arena.set(data, offset);
  return arena;
}

/** Elements of a piece of initial weights: some ten milliseconds of work. */
const INITIAL_PIECE = 2 ** 16;

/** The same in pieces, for one who has more to do meanwhile; places that no piece holds are zero. */
export function* initialPieces(
  config: Gpt2Config,
  layout: ParameterLayout,
  seed: number,
): Generator<{ readonly offset: number; readonly data: Float32Array<ArrayBuffer> }> {
  // Numbered by the model alone, so that the same weights come out whatever the layout.
  const items = new Map(layoutParameters(config).entries.map(({ name }, item) => [name, item]));
  for (const { name, shape, offset } of layout.entries) {
    const item = items.get(name);
    if (item === undefined) continue;
    const residual = name.endsWith("c_proj.weight");
    const deviation = residual ? DEVIATION / Math.sqrt(2 * config.layers) : DEVIATION;
    const size = sizeOf(shape);
    for (let at = 0; at < size; at += INITIAL_PIECE) {
      const data = new Float32Array(Math.min(INITIAL_PIECE, size - at));
      if (shape.length > 1) fillNormal(data, deviation, seed, STREAM.initialisation, item, at);
      else if (name.endsWith("weight")) data.fill(1);
      yield { offset: offset + at, data };
    }
  }
  yield* initialCorrections(layout, seed);
}

/** How LoRA's matrices start, as stretches of the arena: for a model whose own weights come from elsewhere. */
export function initialCorrections(
  { entries, lora }: ParameterLayout,
  seed: number,
): { readonly offset: number; readonly data: Float32Array<ArrayBuffer> }[] {
  if (!lora) return [];
  const matrices = entries.filter(({ name }) => isCorrection(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  return matrices.map(({ name, shape, offset }, item) => {
    const data = new Float32Array(sizeOf(shape));
    fillLora(data, name, shape, seed, item);
    return { offset, data };
  });
}

/** Named tensors as one arena. The names and sizes must be the layout's. */
export function packParameters(
  layout: ParameterLayout,
  named: ReadonlyMap<string, ArrayLike<number>>,
): Float32Array<ArrayBuffer> {
  const arena = new Float32Array(layout.size);
  for (const { name, shape, offset } of layout.entries) {
    const data = named.get(name);
    if (data?.length !== sizeOf(shape))
      throw new Error(`parameter ${name}: ${data?.length ?? "no"} elements, wanted ${sizeOf(shape)}`);
    arena.set(data, offset);
  }
  return arena;
}

/** An arena as named tensors, views of it. */
export function unpackParameters<T extends { subarray(start: number, end: number): T }>(
  layout: ParameterLayout,
  arena: T,
): Map<string, T> {
  return new Map(
    layout.entries.map(({ name, shape, offset }) => [name, arena.subarray(offset, offset + sizeOf(shape))]),
  );
}
