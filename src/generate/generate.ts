import { userError } from "../core/errors.ts";
import { FINISHED } from "../kernels/sample-settings.ts";
import { requireWeights } from "../model/arena.ts";
import type { Gpt2Config } from "../model/config.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import { OutOfMemory } from "../runtime/out-of-memory.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Hypothesis } from "./beams.ts";
import { createDecoder, type DecodeRow, type RowState, type TokenLogProbability } from "./decoder.ts";
import { generationOptions } from "./option-elsewhere.ts";
import { optionError } from "./option-error.ts";
import type { GenerateOptions, Generation } from "./options.ts";
import { decodeRows } from "./rows.ts";
import { createTextStream, type TextStream } from "./text-stream.ts";

/** One continuation of a prompt. */
export interface Generated {
  /** New tokens, without the end token; with stop strings, up to the token that completes one. */
  readonly ids: readonly number[];
  /**
   * "end": the model ended it; "stop": a stop string; "length": as many tokens as allowed; "context": no place left; "rules": bad words, repeated
   * n-grams and the like left no token that may come next.
   */
  readonly stopped: "end" | "stop" | "length" | "context" | "rules";
  /** The end token that it met. */
  readonly endId?: number;
  /** Where a tokenizer was given: the text of `ids`, without a stop string and what follows it. */
  readonly text?: string;
  /** Where they were asked for: of each of `ids`, and of the end token. */
  readonly logProbabilities?: readonly number[];
  /** Where they were asked for: at the place of each of `ids`, and of the end token, the likeliest tokens, the likeliest first. */
  readonly topLogProbabilities?: readonly (readonly TokenLogProbability[])[];
  /** Of a beam search: log-probability / length^lengthPenalty, the end token included. */
  readonly score?: number;
}

/** A new token as it comes. */
export interface Token {
  readonly id: number;
  readonly logProbability?: number;
  /** Where they were asked for: the tokens that were likeliest at its place, the likeliest first. */
  readonly topLogProbabilities?: readonly TokenLogProbability[];
  /** Where a tokenizer was given: all the text so far, in whole characters. */
  readonly text?: string;
}

/** A new token of one of several sequences. */
export interface SequenceToken extends Token {
  /** Of the results: sequence i of a prompt's `numReturnSequences` after those of the prompts before it. */
  readonly sequence: number;
}

/** One of several continuations. */
export interface SequenceResult extends Generated {
  /** As of a `SequenceToken`. */
  readonly sequence: number;
}

export interface Generator {
  /**
   * Continues each prompt, the ids of a text (`tokenizer.encode`; at least one), `numReturnSequences` times; sequence i of all of them draws from
   * stream i of the seed, whatever is beside it. Throws `UserError` on options that contradict one another, and on a
   * prompt that leaves no place in the context.
   */
  generate(
    prompts: readonly ArrayLike<number>[],
    options?: GenerateOptions,
    signal?: AbortSignal,
  ): Promise<Generated[]>;
  /**
   * The same in their order, each as soon as it and those before it have ended. Leaving the loop ends the rest. Where `signal`, or an
   * error, does, those that have ended by then behind one that has not are given before it is thrown.
   */
  results(
    prompts: readonly ArrayLike<number>[],
    options?: GenerateOptions,
    signal?: AbortSignal,
  ): AsyncGenerator<SequenceResult, void>;
  /**
   * Continues one prompt, giving each token as it comes, and the whole at the end. Not for beams. Once it has ended, by itself, by
   * leaving the loop or by `signal`, nothing of it is on the device any more.
   */
  stream(prompt: ArrayLike<number>, options?: GenerateOptions, signal?: AbortSignal): AsyncGenerator<Token, Generated>;
  /** The same of several prompts, each `numReturnSequences` times, all at once: tokens of each sequence in their order. */
  streamAll(
    prompts: readonly ArrayLike<number>[],
    options?: GenerateOptions,
    signal?: AbortSignal,
  ): AsyncGenerator<SequenceToken, Generated[]>;
  dispose(): void;
}

/** Generates from the parameters that `runtime` holds, with a cache of keys and values; one call at a time. */
export function createGenerator(runtime: Runtime, config: Gpt2Config, layout: ParameterLayout): Generator {
  const decoder = createDecoder(runtime, config, layout);
  let busy = false;

  function begin(): void {
    if (busy) throw new Error("generate: another call is running; await it, or finish its iterator, first");
    busy = true;
  }

  /** Keys and values in f16 want what has words of two. */
  function requireCache({ cache }: Generation): void {
    const { packedHalves, f16 } = runtime.traits;
    if (cache === "f16" && !packedHalves && !f16)
      optionError(
        (o) => `${o("kvBits")} is 16: ${runtime.name} has no f16; give 8 or 32, or use a GPU, of which any will do`,
        "device",
      );
  }

  async function* sampleAll(rows: readonly DecodeRow[], firstRow: number, options: Generation, signal?: AbortSignal) {
    const trackers = rows.map(() => options.tokenizer && createTextStream(options.tokenizer, options.stopStrings));
    const seen = rows.map(({ prompt }) => prompt.length);
    for await (const states of decoder.sample(
      rows,
      { sampling: { ...options, firstRow }, cache: options.cache },
      signal,
    )) {
      const results = states.map((state, row) => {
        const text = trackers[row];
        const last = state.ids.length - (state.finished === FINISHED.end ? 1 : 0);
        for (; seen[row]! < last && !text?.stopped; seen[row]!++) text?.push(state.ids[seen[row]!]!);
        return resultOf(rows[row]!, state, seen[row]!, text, options);
      });
      yield { states, results };
      if (results.every((result) => result !== undefined)) return;
    }
  }

  async function* results(
    prompts: readonly ArrayLike<number>[],
    given: GenerateOptions = {},
    signal?: AbortSignal,
  ): AsyncGenerator<SequenceResult, void> {
    const options = generationOptions(given, config);
    const rows = decodeRows(idsOf(prompts), options, config);
    requireWeights(runtime, layout, "generate");
    requireCache(options);
    begin();
    try {
      if (options.numBeams > 1) yield* searched(rows, options, signal);
      else yield* sampled(rows, options, signal);
    } finally {
      busy = false;
    }
  }

  async function* sampled(each: readonly DecodeRow[], options: Generation, signal?: AbortSignal) {
    const rows = each.flatMap((row) => new Array<DecodeRow>(options.numReturnSequences).fill(row));
    for (let at = 0; at < rows.length; ) {
      const group = await fitting(rows.slice(at), options);
      for await (const [i, result] of inOrder(resultsOf(sampleAll(group, at, options, signal))))
        yield { ...result, sequence: at + i };
      at += group.length;
    }
  }

  async function* searched(rows: readonly DecodeRow[], options: Generation, signal?: AbortSignal) {
    const { numBeams, numReturnSequences } = options;
    const { beamSearch } = await import("./beams.ts");
    for (let at = 0; at < rows.length; ) {
      const all = rows.slice(at).flatMap((row) => new Array<DecodeRow>(numBeams).fill(row));
      const group = rows.slice(at, at + (await fitting(all, options)).length / numBeams);
      for await (const [i, found] of inOrder(beamSearch(decoder, group, options, config, signal)))
        for (const [n, hypothesis] of found.slice(0, numReturnSequences).entries())
          yield { ...ofHypothesis(hypothesis, group[i]!, options), sequence: (at + i) * numReturnSequences + n };
      at += group.length;
    }
  }

  /** The first of the rows that fit the device in one batch; beams of a prompt are not parted. */
  async function fitting(rows: readonly DecodeRow[], options: Generation): Promise<readonly DecodeRow[]> {
    const { numBeams, cache } = options;
    const wish = { sampling: numBeams > 1 ? undefined : options, cache };
    try {
      return rows.slice(0, await decoder.fit(rows, wish, numBeams));
    } catch (error) {
      if (!(error instanceof OutOfMemory)) throw error;
      const row = rows[0]!;
      const fits = (count: number, most: number): Promise<boolean> =>
        decoder.fit(new Array<DecodeRow>(count).fill({ ...row, most }), wish, count).then(
          () => true,
          (reason) => {
            if (reason instanceof OutOfMemory) return false;
            throw reason;
          },
        );
      if (numBeams > 1) {
        const fewer = await firstOfHalves(numBeams, 1, (count) => fits(count, row.most));
        optionError(
          (o) =>
            `${o("numBeams")} is ${numBeams}: more than the memory has room for (${runtime.name}); ` +
            (fewer ? `${fewer} would fit` : `lower it, or ${o("maxNewTokens")}`),
          "memory",
        );
      }
      const length = Math.min(row.most, config.contextLength);
      const shorter = await firstOfHalves(length - row.prompt.length, 1, (tokens) =>
        fits(1, row.prompt.length + tokens),
      );
      return optionError(
        (o) =>
          `generate: there is no memory for a sequence of ${length} tokens (${runtime.name}); ` +
          (shorter ? `${o("maxNewTokens")} ${shorter} would fit` : "use a shorter prompt or a smaller model"),
        "memory",
      );
    }
  }

  async function generate(
    prompts: readonly ArrayLike<number>[],
    given: GenerateOptions = {},
    signal?: AbortSignal,
  ): Promise<Generated[]> {
    const all: Generated[] = [];
    for await (const { sequence: _, ...result } of results(prompts, given, signal)) all.push(result);
    return all;
  }

  async function* streamAll(
    given: readonly ArrayLike<number>[],
    wanted: GenerateOptions = {},
    signal?: AbortSignal,
  ): AsyncGenerator<SequenceToken, Generated[]> {
    const options = generationOptions(wanted, config);
    if (options.numBeams > 1)
      optionError((o) => `${o("numBeams")}: a search knows its words only at the end; use generate for beams`);
    const each = decodeRows(idsOf(given), options, config);
    requireWeights(runtime, layout, "generate");
    requireCache(options);
    const rows = each.flatMap((row) => new Array<DecodeRow>(options.numReturnSequences).fill(row));
    const all: Generated[] = [];
    begin();
    try {
      for (let at = 0; at < rows.length; ) {
        const group = await fitting(rows.slice(at), options);
        const texts = group.map(() => options.tokenizer && createTextStream(options.tokenizer, options.stopStrings));
        const sent = group.map(({ prompt }) => prompt.length);
        let last: (Generated | undefined)[] = [];
        for await (const { states, results } of sampleAll(group, at, options, signal)) {
          for (const [row, state] of states.entries()) {
            const { prompt } = group[row]!;
            const result = results[row];
            const end = result ? prompt.length + result.ids.length : state.ids.length;
            for (; sent[row]! < end; sent[row]!++) {
              const [id, place] = [state.ids[sent[row]!]!, sent[row]! - prompt.length];
              const text = texts[row];
              text?.push(id);
              yield {
                sequence: at + row,
                id,
                ...(options.logProbabilities ? { logProbability: state.logProbabilities[place]! } : {}),
                ...(options.topLogProbabilities ? { topLogProbabilities: state.top[place]! } : {}),
                ...(text ? { text: text.text } : {}),
              };
            }
          }
          last = results;
        }
        for (const result of last) all.push(result!);
        at += group.length;
      }
      return all;
    } finally {
      busy = false;
    }
  }

  async function* stream(given: ArrayLike<number>, wanted: GenerateOptions = {}, signal?: AbortSignal) {
    if ((wanted.numReturnSequences ?? 1) > 1)
      optionError((o) => `${o("numReturnSequences")}: one sequence is streamed; use streamAll, or generate, for more`);
    const tokens = streamAll([given], wanted, signal);
    try {
      for (;;) {
        const next = await tokens.next();
        if (next.done) return next.value[0]!;
        const { sequence: _, ...token } = next.value;
        yield token;
      }
    } finally {
      await tokens.return([]);
    }
  }

  return { generate, results, stream, streamAll, dispose: () => decoder.dispose() };
}

async function* resultsOf<R>(looks: AsyncIterable<{ readonly results: R }>): AsyncGenerator<R, void> {
  for await (const { results } of looks) yield results;
}

/** Of what has ended by each look, each with its index, in order; where looks end in an error, then all that has ended. */
async function* inOrder<T>(
  looks: AsyncIterable<readonly (T | undefined)[]>,
): AsyncGenerator<readonly [index: number, ended: T], void> {
  let [given, last] = [0, [] as readonly (T | undefined)[]];
  try {
    for await (last of looks) for (; last[given] !== undefined; given++) yield [given, last[given]!];
  } catch (error) {
    for (const [i, ended] of last.entries()) if (i >= given && ended !== undefined) yield [i, ended];
    throw error;
  }
}

/** The first of a half, a quarter and so on of `most`, down to `least`, that passes. */
async function firstOfHalves(
  most: number,
  least: number,
  passes: (value: number) => Promise<boolean>,
): Promise<number | undefined> {
  for (let value = Math.floor(most / 2); value >= least; value = Math.floor(value / 2))
    if (await passes(value)) return value;
  return undefined;
}

/** Prompts as lists of ids; a text, or a list that is not one of lists, is the usual mistake. */
function idsOf(prompts: readonly ArrayLike<number>[]): (readonly number[])[] {
  const given: unknown = prompts;
  if (!Array.isArray(given) || given.some((prompt) => typeof prompt === "number")) {
    const got = typeof given === "string" ? "a text" : Array.isArray(given) ? "one list of ids" : typeof given;
    return userError(
      `generate: the prompts are ${got}; wanted a list of prompts, each its ids: [tokenizer.encode(text)]`,
    );
  }
  return prompts.map((prompt, i) => {
    const one: unknown = prompt;
    if (Array.isArray(one)) return one;
    if (ArrayBuffer.isView(one) && !(one instanceof DataView)) return Array.from(prompt);
    const got = typeof one === "string" ? "a text" : String(one);
    return userError(`generate: prompt ${i} is ${got}; wanted its ids, as tokenizer.encode(text) gives them`);
  });
}

/** Why a row stopped, by what the device says of it. */
const REASONS: Readonly<Record<number, Generated["stopped"]>> = {
  [FINISHED.end]: "end",
  [FINISHED.length]: "length",
  [FINISHED.context]: "context",
  [FINISHED.allBanned]: "rules",
};

/** The result of a row, once it is finished or a stop string was met. `seen`: ids whose text was looked at. */
function resultOf(
  { prompt }: DecodeRow,
  state: RowState,
  seen: number,
  text: TextStream | undefined,
  options: Generation,
): Generated | undefined {
  if (state.finished === FINISHED.no && !text?.stopped) return undefined;
  if (!text?.stopped) text?.end();
  const stopped = text?.stopped ? "stop" : REASONS[state.finished]!;
  const end = stopped === "stop" ? seen : state.ids.length - (stopped === "end" ? 1 : 0);
  const known = stopped === "end" ? end + 1 : end;
  return {
    ids: state.ids.slice(prompt.length, end),
    stopped,
    ...(stopped === "end" ? { endId: state.ids[end]! } : {}),
    ...(text ? { text: text.text } : {}),
    ...(options.logProbabilities ? { logProbabilities: state.logProbabilities.slice(0, known - prompt.length) } : {}),
    ...(options.topLogProbabilities ? { topLogProbabilities: state.top.slice(0, known - prompt.length) } : {}),
  };
}

function ofHypothesis({ ids, score, ended, stuck }: Hypothesis, { prompt, most }: DecodeRow, options: Generation) {
  const output = ids.slice(prompt.length, ended ? -1 : undefined);
  const text = options.tokenizer && createTextStream(options.tokenizer);
  for (const id of output) text?.push(id);
  text?.end();
  const stopped = ended ? "end" : stuck ? "rules" : ids.length >= most ? "length" : "context";
  return {
    ids: output,
    stopped,
    ...(ended ? { endId: ids.at(-1)! } : {}),
    ...(text ? { text: text.text } : {}),
    score,
  } satisfies Generated;
}
