import type { Tape } from "../autograd/tape.ts";
import { byteLength, type Format } from "../core/dtype.ts";
import { largest } from "../core/extremes.ts";
import { sizeOf } from "../core/shape.ts";
import { cacheTypes } from "../kernels/layer-cache.ts";
import type { Gpt2Config } from "../model/config.ts";
import { type DecodeMode, type DecodeShape, decodeTape, type PromptShape, prefillTape } from "../model/decode.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { optionError } from "./option-error.ts";

/** A sequence being continued. */
export interface DecodeRow {
  readonly prompt: readonly number[];
  /** Ids it has at least before an end token, and at most, prompt included. */
  readonly least: number;
  readonly most: number;
}

export interface Prompt {
  readonly ids: readonly number[];
  /** The cache row that it is computed in: the first that continues it. */
  readonly row: number;
}

/** What the two plans of a batch of rows are made for: of its prompts, and of one more token of each row. */
export interface DecodePlans {
  readonly shape: DecodeShape;
  readonly prompts: readonly Prompt[];
  readonly prompt: PromptShape;
  readonly mode: DecodeMode;
}

const LEAST_PLACES = 32;

/** What plans are made for besides rows. */
export interface DecodeWanted {
  /** Words of the sampling settings; undefined where logits are wanted. */
  readonly settings: number | undefined;
  /** Likeliest tokens to keep of each place. */
  readonly top?: number | undefined;
  /** Of keys and values. */
  readonly cache: Format;
  /** Of the states. */
  readonly owner?: number | undefined;
}

export function decodePlansOf(
  rows: readonly DecodeRow[],
  { contextLength }: Gpt2Config,
  { settings, top = 0, cache, owner = 0 }: DecodeWanted,
): DecodePlans {
  const places = placesFor(rows, contextLength);
  const shape: DecodeShape = { rows: rows.length, places, settings: settings ?? 0, top, cache, owner };
  const prompts = distinctPrompts(rows);
  const longest = largest(prompts.map(({ ids }) => ids.length));
  const prompt = { prompts: prompts.length, length: Math.min(shape.places, roomFor(longest, contextLength)) };
  return { shape, prompts, prompt, mode: settings === undefined ? "logits" : "sample" };
}

/** The tapes by what is different in them, in the order in which they are compiled: prompts, then a token. */
export function decodeTapes(
  { shape, prompt, mode }: DecodePlans,
  config: Gpt2Config,
  layout: ParameterLayout,
): [key: string, tape: () => Tape][] {
  const { rows, places, settings, top, cache } = shape;
  const key = `${mode} ${rows} ${places} ${settings} ${cache}${top ? ` top ${top}` : ""}`;
  return [
    [`prefill ${key} ${prompt.prompts} ${prompt.length}`, () => prefillTape(config, layout, shape, prompt, mode)],
    [key, () => decodeTape(config, layout, shape, mode)],
  ];
}

/** Of a batch on a CPU, which has nothing from a larger one but the memory that it takes. */
const SOFTWARE_BYTES = 2 ** 30;

/**
 * Rows that fit one batch, of the first of `rows`; on a CPU also in what a batch should take. `unit`: rows that belong together, the beams
 * of a prompt.
 */
export function rowsThatFit(
  rows: readonly DecodeRow[],
  config: Gpt2Config,
  { traits, name }: Pick<Runtime, "traits" | "name">,
  { top = 0, cache }: Pick<DecodeWanted, "top" | "cache">,
  unit = 1,
): number {
  const { layers, width, heads, innerWidth, vocabSize } = config;
  const places = placesFor(rows, config.contextLength);
  const most = Math.floor(traits.maxBindingBytes / 4);
  const widest = Math.max(3 * width, innerWidth, top);
  const limit = Math.min(Math.floor(most / (places * widest)), Math.floor(most / vocabSize));
  if (limit < 1)
    optionError(
      (o) => `generate: ${places} places do not fit the ${name}'s bindings; lower ${o("maxNewTokens")} or the prompt`,
      "device",
    );
  if (limit < unit)
    optionError(
      (o) =>
        `${o("numBeams")} is ${unit}: ${places} places of so many do not fit the ${name}'s bindings; ${limit} would fit`,
      "device",
    );
  if (!traits.software) return limit;
  // Keys and values of all layers; a prompt's activations in one; logits and scores.
  const { keys, values } = cacheTypes(1, places, heads, width / heads, cache);
  const cached = byteLength(keys.dtype, sizeOf(keys.shape) + sizeOf(values.shape));
  const rowBytes = layers * cached + 4 * (places * (4 * width + innerWidth + 2 * top) + 2 * vocabSize);
  return Math.min(limit, Math.max(unit, Math.floor(SOFTWARE_BYTES / rowBytes)));
}

function placesFor(rows: readonly DecodeRow[], contextLength: number): number {
  return roomFor(largest(rows.map(({ most }) => most)), contextLength);
}

/** A few sizes serve all lengths: powers of two up to the context. */
function roomFor(length: number, context: number): number {
  let places = LEAST_PLACES;
  while (places < length) places *= 2;
  return Math.min(places, context);
}

/** Each array of ids once: rows that share a prompt share the array. */
function distinctPrompts(rows: readonly DecodeRow[]): Prompt[] {
  const seen = new Map<readonly number[], Prompt>();
  rows.forEach(({ prompt }, row) => {
    if (!seen.has(prompt)) seen.set(prompt, { ids: prompt, row });
  });
  return [...seen.values()];
}
