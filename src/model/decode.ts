import { createTape, type Tape } from "../autograd/tape.ts";
import { byteLength, type Format } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { attention } from "../kernels/attention.ts";
import { cacheAppend, cachedAttention } from "../kernels/cached-attention.ts";
import { embedding } from "../kernels/embedding.ts";
import { cacheTypes, type LayerCache } from "../kernels/layer-cache.ts";
import { f32, type TensorType, type Value } from "../kernels/op.ts";
import { COLUMN, rowStride } from "../kernels/sample-settings.ts";
import { sampleToken } from "../kernels/sample-token.ts";
import { topTokens } from "../kernels/top-tokens.ts";
import type { Gpt2Config } from "./config.ts";
import { gpt2Logits, gpt2TrunkWith } from "./gpt2.ts";
import { declareParameters, type ParameterLayout } from "./parameters.ts";

/** Room for sequences that are continued: B rows of T places each, the context length at most. */
export interface DecodeShape {
  readonly rows: number;
  readonly places: number;
  /** Words of the sampling settings. */
  readonly settings: number;
  /** Likeliest tokens that are kept of each place; none where absent. */
  readonly top?: number | undefined;
  /** Of keys and values; `usualCache` where absent. */
  readonly cache?: Format | undefined;
  /** Whose states these are, where several decode on one runtime. */
  readonly owner?: number | undefined;
}

/** P prompts of up to S tokens each, each computed once, for one row of the cache or more. P <= B, S <= T. */
export interface PromptShape {
  readonly prompts: number;
  readonly length: number;
}

/** "sample": the tape chooses tokens and keeps its state itself. "logits": it is told tokens, and gives logits [B, V]. */
export type DecodeMode = "sample" | "logits";

/** States of decoding, by what they hold; each shape has states of its own. */
export type DecodeState =
  | "table"
  | "history"
  | "rows"
  | "logProbabilities"
  | "settings"
  | "topIds"
  | "topLogProbabilities";

export function decodeState(name: DecodeState, shape: DecodeShape): string {
  const size = name === "settings" ? `${shape.settings}` : `${shape.rows} x ${shape.places}`;
  return `${DECODING}${name} ${size}${name.startsWith("top") ? ` x ${shape.top}` : ""}${ownerOf(shape)}`;
}

/** What the names of all states of decoding begin with. */
const DECODING = "decode ";

function ownerOf({ owner }: DecodeShape): string {
  return owner ? ` of ${owner}` : "";
}

/** The states of decoding that a tape has, and their bytes. */
export function decodeStatesOf(tape: Tape): Map<string, number> {
  const states = new Map<string, number>();
  for (const value of tape.values) {
    const origin = tape.origin(value);
    if (origin.kind === "state" && origin.name.startsWith(DECODING))
      states.set(origin.name, byteLength(value.dtype, sizeOf(value.shape)));
  }
  return states;
}

/**
 * Computes the prompts, fills the cache, and gives or samples what follows each row's prompt. Inputs: tokens u32 [P S] and
 * positions, lengths and cacheRows u32 [P], last u32 [B]: for each row the place in tokens of its prompt's last token.
 */
export function prefillTape(
  config: Gpt2Config,
  layout: ParameterLayout,
  shape: DecodeShape,
  prompt: PromptShape,
  mode: DecodeMode,
): Tape {
  const tape = createTape();
  const parameters = declareParameters(tape, layout);
  const ids = u32(prompt.prompts * prompt.length);
  const [tokens, positions] = [tape.input("tokens", ids), tape.input("positions", ids)];
  const lengths = tape.input("lengths", u32(prompt.prompts));
  const cacheRows = tape.input("cacheRows", u32(prompt.prompts));
  const last = tape.input("last", u32(shape.rows));
  const cache = declareCache(tape, config, layout, shape);
  const hidden = gpt2TrunkWith(config, parameters, { tokens, positions }, (qkv, layer) => {
    const attrs = { batch: prompt.prompts, heads: config.heads, dropout: 0, stream: 0 };
    return attention(cacheAppend(qkv, cacheRows, cache[layer]!), lengths, attrs);
  });
  finish(tape, gpt2Logits(config, parameters, embedding(last, hidden)), shape, mode);
  return tape;
}

/**
 * One more token of each row: it joins the cache, and what follows it is sampled or given as logits. With "logits" the
 * inputs are tokens, positions u32 [B] and table u32 [B, T]; with "sample" there are none, and nothing is given back.
 */
export function decodeTape(config: Gpt2Config, layout: ParameterLayout, shape: DecodeShape, mode: DecodeMode): Tape {
  const tape = createTape();
  const parameters = declareParameters(tape, layout);
  const { rows: B, places: T } = shape;
  const tableType: TensorType = { dtype: "u32", shape: [B, T] };
  const sampling = mode === "sample" ? declareSampling(tape, shape) : undefined;
  const column = (at: number): Value => tape.view(sampling!.rows, at * rowStride(B), [B]);
  const given = sampling
    ? { tokens: column(COLUMN.token), positions: column(COLUMN.position) }
    : { tokens: tape.input("tokens", u32(B)), positions: tape.input("positions", u32(B)) };
  const table = sampling ? tape.state(decodeState("table", shape), tableType) : tape.input("table", tableType);
  const cache = declareCache(tape, config, layout, shape);
  const attend = (qkv: Value, layer: number): Value => cachedAttention(qkv, given.positions, table, cache[layer]!);
  const hidden = gpt2TrunkWith(config, parameters, given, attend, { together: true });
  finish(tape, gpt2Logits(config, parameters, hidden), shape, mode, sampling);
  return tape;
}

function finish(tape: Tape, logits: Value, shape: DecodeShape, mode: DecodeMode, sampling?: Sampling): void {
  if (mode === "logits") {
    tape.output("logits", logits);
    return;
  }
  const { settings, ...state } = sampling ?? declareSampling(tape, shape);
  const { rows: B, places: T, top } = shape;
  if (top) {
    const kept = { dtype: "u32", shape: [B, T * top] } as const;
    const ids = tape.state(decodeState("topIds", shape), kept);
    const logProbabilities = tape.state(decodeState("topLogProbabilities", shape), f32(kept.shape));
    // Before the rows move on.
    topTokens(logits, { rows: state.rows, ids, logProbabilities }, top);
  }
  sampleToken(logits, settings, state);
}

type Sampling = Readonly<Record<"settings" | "history" | "rows" | "logProbabilities", Value>>;

function declareSampling(tape: Tape, shape: DecodeShape): Sampling {
  const { rows: B, places: T, settings } = shape;
  const state = (name: DecodeState, type: TensorType): Value => tape.state(decodeState(name, shape), type);
  return {
    settings: state("settings", u32(settings)),
    history: state("history", { dtype: "u32", shape: [B, T] }),
    rows: state("rows", { dtype: "u32", shape: [5, rowStride(B)] }),
    logProbabilities: state("logProbabilities", f32([B, T])),
  };
}

/** What keys and values are kept as where nobody says: as the weights; beside those of 8 bits, which do not change from text to text, as f32. */
export function usualCache({ precision = "f32" }: Pick<ParameterLayout, "precision">): Format {
  return precision === "i8" ? "f32" : precision;
}

function declareCache(tape: Tape, config: Gpt2Config, layout: ParameterLayout, shape: DecodeShape): LayerCache[] {
  const { cache: format = usualCache(layout) } = shape;
  const { keys, values } = cacheTypes(shape.rows, shape.places, config.heads, config.width / config.heads, format);
  const state = (what: string, type: TensorType): Value => {
    const size = `${shape.rows} x ${shape.places}`;
    return tape.state(`${DECODING}${what} ${size}${format === "f32" ? "" : ` in ${format}`}${ownerOf(shape)}`, type);
  };
  return Array.from({ length: config.layers }, (_, layer) => ({
    keys: state(`keys ${layer}`, keys),
    values: state(`values ${layer}`, values),
  }));
}

function u32(length: number): TensorType {
  return { dtype: "u32", shape: [length] };
}
