/**
 * Training data out of sources. `openData(options, tokenizer, listener)` gives `OpenData`: `train` and perhaps `evaluation`, each
 * `{ kind: "records", sequences }` or `{ kind: "stream", stream }`; the tokenizer; a `report` to print before the first step;
 * `padding(batchSize, padded?)`, the share of places that padding will take; `has(text)`, whether a sample is a record of the
 * data; and `close()`. `tokenizer` is one that is known, or a function that makes one and may ask for the alphabet, which takes
 * a pass over the text: `async (alphabet) => kind === "char" ? charTokenizerOf(await alphabet()) : byteTokenizer()`.
 */
import { userError } from "../core/errors.ts";
import { shown } from "../core/shown.ts";
import { counted } from "../core/units.ts";
import { byteTokenizer } from "../text/byte.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type Columns, checkColumns } from "./columns.ts";
import { vocabularyDigest } from "./digest.ts";
import { addFindings, type Findings, hintsOf } from "./findings.ts";
import { createKnown } from "./known.ts";
import type { AlphabetOptions } from "./read.ts";
import { type DataReport, paddingShare, reportRecords, reportStream, withoutCounts } from "./report.ts";
import type { Sequences, TokenStream } from "./sequence.ts";
import { type DataFormat, type DataSource, formatOf } from "./source.ts";
import { selectRecords, splitRecords } from "./split.ts";
import { createTextTokens, type DataListener, type OpenTokens } from "./text-tokens.ts";
import type { TokenCache } from "./token-cache.ts";
import type { LengthCounts } from "./token-meta.ts";
import { longestOf, openRecords, openStream } from "./token-read.ts";

/** What to read, as what, and what is held out. */
export interface DataOptions {
  /** What to train on; closed when it is read, or on an error. */
  readonly sources: readonly DataSource[];
  /** Of all sources that do not say theirs; default: by the extensions of their names. */
  readonly format?: DataFormat | undefined;
  readonly textColumn?: string | undefined;
  readonly promptColumn?: string | undefined;
  readonly completionColumn?: string | undefined;
  /** No loss on prompts, where records have them. */
  readonly maskPrompt: boolean;
  /** One long text that windows are cut from, instead of records; always so for .bin files. */
  readonly stream: boolean;
  /** What to evaluate on, as `sources`. */
  readonly evalSources?: readonly DataSource[] | undefined;
  /** Share of the data that is held out for evaluation, 0 for none; instead of `evalSources`. */
  readonly evalSplit: number;
  /** Of the split. */
  readonly seed: number;
  readonly contextLength: number;
  /** Take a stream that is shorter than the context, which cannot be trained on. */
  readonly shortStreams?: boolean | undefined;
  /** Keeps the ids of long texts; without one all ids are in memory. */
  readonly cache?: TokenCache | undefined;
}

export type TrainingData =
  | { readonly kind: "records"; readonly sequences: Sequences }
  | { readonly kind: "stream"; readonly stream: TokenStream };

/** Of the part that is trained on, and what is there besides. */
export interface SourceReport extends DataReport {
  readonly kind: TrainingData["kind"];
  readonly files: number;
  /** Of all files, evaluation's too. */
  readonly bytes: number;
  /** Records without text, which were left out. */
  readonly empty: number;
  /** Records, of training and held out ones, that are the same as an earlier one; undefined where there are too many to know. */
  readonly duplicates?: number;
  /** What else was met in all files; absent for ids that were made elsewhere. */
  readonly findings?: Findings;
  /** Of all ids and what they stand for: data with another digest is other data. */
  readonly digest: string;
  readonly evaluation?: DataReport;
  /** The folder that the ids are kept in, if they are. */
  readonly cache?: string;
}

/** Makes a tokenizer; `alphabet` reads the data for its characters. */
export type TokenizerOf = (alphabet: (options?: AlphabetOptions) => Promise<readonly string[]>) => Promise<Tokenizer>;

/** Data that is tokenised, and what is known of it. */
export interface OpenData {
  readonly tokenizer: Tokenizer;
  readonly train: TrainingData;
  readonly evaluation?: TrainingData;
  readonly report: SourceReport;
  /** Of records: the share of places that are padding in random batches; `padded` rounds a batch's places up. Of a stream: 0. */
  padding(batchSize: number, padded?: (places: number) => number): number;
  /** Whether a text is a whole record of the data; absent where there are too many records to know, and for streams. */
  readonly has?: (text: string) => boolean;
  close(): Promise<void>;
}

/** Throws `UserError` with the file, the line and what to do on anything that is wrong with the data. */
export async function openData(
  options: DataOptions,
  tokenizer: Tokenizer | TokenizerOf,
  listener: DataListener = {},
): Promise<OpenData> {
  for (const given of [options.sources, options.evalSources ?? []])
    if (!Array.isArray(given)) userError(`openData: sources are ${shown(given)}; wanted a list`, "usage");
  const sources = [...options.sources, ...(options.evalSources ?? [])];
  const opened: OpenTokens[] = [];
  const close = async (): Promise<void> => {
    for (const tokens of opened.splice(0)) tokens.close();
    for (const source of sources.splice(0)) await source.close();
  };
  const { contextLength } = options;
  try {
    if (!Number.isSafeInteger(contextLength) || contextLength < 1)
      userError(`openData: contextLength is ${shown(contextLength)}; wanted a whole number, 1 or more`, "usage");
    checkDataOptions(options, options.sources, options.evalSources);
    const train = await openSet(options.sources, options, listener);
    const held = options.evalSources ? await openSet(options.evalSources, options, listener) : undefined;
    if (held && held.stream !== train.stream)
      userError(`${held.name}: is ${kindOf(held)}, but the data to train on is ${kindOf(train)}; give both alike`);
    const known =
      typeof tokenizer === "function" ? await tokenizer((wanted) => bothAlphabets(train, held, wanted)) : tokenizer;
    const tokens = await train.tokens(known);
    opened.push(tokens);
    const heldTokens = await held?.tokens(known);
    if (heldTokens) opened.push(heldTokens);
    // From here on ids are all that is read.
    for (const source of sources.splice(0)) await source.close();
    const parts = partsOf(options, tokens, heldTokens);
    const noPrompts = tokens.meta.kind === "records" && !tokens.meta.prompts;
    if (options.maskPrompt && noPrompts)
      listener.notice?.(`${train.name}: its records have no prompts, so that --mask-prompt does nothing`);
    for (const line of masksOf(parts, options, train.name, held?.name ?? train.name)) listener.notice?.(line);
    if (!options.shortStreams) checkParts(parts, options, train.name, held?.name ?? train.name);
    const { empty, duplicates } = tokens.meta;
    const { folder } = tokens;
    const findings = tokens.meta.findings && addFindings(tokens.meta.findings, heldTokens?.meta.findings);
    const records = tokens.meta.records + (heldTokens?.meta.records ?? 0);
    if (findings && !train.stream)
      for (const line of hintsOf(findings, records, known, train.lines)) listener.notice?.(line);
    const report: SourceReport = {
      ...parts.train.report,
      kind: parts.train.data.kind,
      files: train.files + (held?.files ?? 0),
      bytes: train.bytes + (held?.bytes ?? 0),
      empty: empty + (heldTokens?.meta.empty ?? 0),
      ...(duplicates === undefined ? {} : { duplicates }),
      ...(findings ? { findings } : {}),
      digest: [tokens.meta.digest, heldTokens?.meta.digest, vocabularyDigest(known)]
        .filter((part) => part !== undefined)
        .join("-"),
      ...(parts.evaluation ? { evaluation: parts.evaluation.report } : {}),
      ...(folder === undefined ? {} : { cache: folder }),
    };
    const has = createKnown(tokens, known);
    return {
      tokenizer: known,
      train: parts.train.data,
      ...(parts.evaluation ? { evaluation: parts.evaluation.data } : {}),
      report,
      padding: (batchSize, padded) => paddingShare(parts.train.lengths, batchSize, options.contextLength, padded),
      ...(has ? { has } : {}),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Throws `UserError` on options that contradict themselves; `train`, `held`: what is to be opened, or is. */
export function checkDataOptions(
  options: Columns & Pick<DataOptions, "evalSplit">,
  train: readonly unknown[],
  held: readonly unknown[] | undefined,
): void {
  const { evalSplit } = options;
  if (train.length === 0) userError("no data: wanted --data FILE", "usage");
  if (held?.length === 0) userError("no data to evaluate on: give some, or leave it out", "usage");
  if (held && evalSplit > 0) userError("--eval-data and --eval-split were both given: leave one of them out", "usage");
  if (!(evalSplit >= 0 && evalSplit < 1))
    userError(`--eval-split is ${evalSplit}: wanted a share from 0 to 1`, "usage");
  checkColumns(options);
}

/** Files that are tokenised together, or hold ids. */
interface FileSet {
  readonly name: string;
  readonly files: number;
  readonly bytes: number;
  readonly stream: boolean;
  /** Whether records are lines of text files. */
  readonly lines: boolean;
  alphabet(options?: AlphabetOptions): Promise<string[]>;
  tokens(tokenizer: Tokenizer): Promise<OpenTokens>;
}

const kindOf = ({ stream }: FileSet): string => (stream ? "one long text" : "records");

async function openSet(sources: readonly DataSource[], options: DataOptions, listener: DataListener): Promise<FileSet> {
  const formats = sources.map(({ name, format }) => formatOf(name, format ?? options.format));
  const bytes = sources.reduce((sum, { size }) => sum + size, 0);
  const lines = formats.every((format) => format === "txt");
  const shared = { name: sources[0]!.name, files: sources.length, bytes, lines };
  for (const [i, format] of formats.entries()) {
    if (format !== "csv" && format !== "tsv") continue;
    const { delimiterOf } = await import("./delimiter.ts");
    const { notice } = await delimiterOf(sources[i]!, options, format);
    if (notice !== undefined) listener.notice?.(notice);
  }
  if (formats.includes("bin")) {
    const other = formats.findIndex((format) => format !== "bin");
    if (other >= 0) userError(`${sources[other]!.name}: is ${formats[other]}, others are .bin; give files of one kind`);
    const { openIdFiles } = await import("./id-files.ts");
    return { ...shared, stream: true, ...openIdFiles(sources, listener) };
  }
  const files = sources.map((source, i) => ({ source, format: formats[i] as Exclude<DataFormat, "bin"> }));
  const { stream, cache } = options;
  return { ...shared, stream, ...createTextTokens({ files, columns: options, stream, cache }, listener) };
}

/** Evaluation's characters too: a model that cannot read them could not be evaluated. */
async function bothAlphabets(
  train: FileSet,
  held: FileSet | undefined,
  options: AlphabetOptions | undefined,
): Promise<string[]> {
  const all = new Set([...(await train.alphabet(options)), ...((await held?.alphabet(options)) ?? [])]);
  if (all.size === 0) {
    // Where there is nothing to tokenise either, that says why.
    (await train.tokens(byteTokenizer())).close();
    userError(`${train.name}: has no characters; wanted text`);
  }
  return [...all].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
}

interface Part {
  readonly data: TrainingData;
  readonly report: DataReport;
  readonly lengths: LengthCounts;
}

interface Parts {
  readonly train: Part;
  readonly evaluation?: Part;
}

function partsOf(options: DataOptions, tokens: OpenTokens, held: OpenTokens | undefined): Parts {
  const { evalSplit, seed } = options;
  const { meta } = tokens;
  if (held || evalSplit === 0)
    return { train: wholePart(tokens, options), ...(held ? { evaluation: wholePart(held, options) } : {}) };
  if (meta.kind === "stream") {
    const end = meta.ids - Math.round(meta.ids * evalSplit);
    return { train: streamPart(tokens, 0, end), evaluation: streamPart(tokens, end, meta.ids) };
  }
  if (meta.records < 2)
    userError("--eval-split holds records out, and there is one record only; give more, or set it to 0");
  const { train, evaluation } = splitRecords(meta.records, evalSplit, seed);
  const all = openRecords(tokens, options);
  const uncut = openRecords(tokens, { contextLength: Number.MAX_SAFE_INTEGER, maskPrompt: true });
  const out = { lengths: new Map<number, number>(), prompts: new Map<number, number>() };
  const add = (counts: Map<number, number>, key: number): unknown => counts.set(key, (counts.get(key) ?? 0) + 1);
  for (let i = 0; i < evaluation.count; i++) {
    const index = evaluation.at(i);
    add(out.lengths, uncut.lengthOf(index));
    if (meta.prompts) add(out.prompts, uncut.promptOf(index));
  }
  const part = (selection: typeof train, lengths: LengthCounts, prompts: LengthCounts): Part => {
    const report = reportRecords(lengths, options.maskPrompt ? prompts : new Map(), options.contextLength);
    const sequences = selectRecords(all, selection, Math.min(longestOf(lengths), options.contextLength + 1));
    return { data: { kind: "records", sequences }, report, lengths };
  };
  return {
    train: part(train, withoutCounts(meta.lengths, out.lengths), withoutCounts(meta.promptLengths, out.prompts)),
    evaluation: part(evaluation, out.lengths, out.prompts),
  };
}

function wholePart(tokens: OpenTokens, options: DataOptions): Part {
  const { meta } = tokens;
  if (meta.kind === "stream") return streamPart(tokens, 0, meta.ids);
  const prompts = options.maskPrompt ? meta.promptLengths : new Map();
  const report = reportRecords(meta.lengths, prompts, options.contextLength);
  return { data: { kind: "records", sequences: openRecords(tokens, options) }, report, lengths: meta.lengths };
}

function streamPart(tokens: OpenTokens, from: number, to: number): Part {
  const report = reportStream(tokens.meta.records, to - from);
  return { data: { kind: "stream", stream: openStream(tokens, from, to) }, report, lengths: new Map() };
}

/** A line for records of which nothing is learnt. Throws `UserError` where there are no others. */
function masksOf(parts: Parts, { contextLength }: DataOptions, trainName: string, evaluationName: string): string[] {
  const lines: string[] = [];
  for (const [part, name] of [[parts.train, trainName] as const, [parts.evaluation, evaluationName] as const]) {
    if (!part || part.report.unlearnt === 0) continue;
    const { unlearnt, records } = part.report;
    if (unlearnt === records)
      userError(
        `${name}: the prompt of each record fills the context of ${contextLength} tokens, so that nothing is left to learn; raise --n-positions, or leave out --mask-prompt`,
      );
    lines.push(
      `${name}: of ${unlearnt} of ${records} records nothing is learnt, since the prompt fills the context of ${contextLength} tokens; raise --n-positions`,
    );
  }
  return lines;
}

/** A window is one id longer than the context, since the last one is only predicted. */
function checkParts(
  parts: Parts,
  { contextLength, evalSplit }: DataOptions,
  trainName: string,
  evaluationName: string,
): void {
  for (const [part, name] of [[parts.train, trainName] as const, [parts.evaluation, evaluationName] as const]) {
    if (part?.data.kind !== "stream" || part.data.stream.length > contextLength) continue;
    const what = part === parts.evaluation && evalSplit > 0 ? "the part held out" : "the text";
    userError(
      `${name}: ${what} has ${counted(part.data.stream.length, "token")}, a window of ${contextLength} places takes ${contextLength + 1}; lower --n-positions, or give more text`,
    );
  }
}
