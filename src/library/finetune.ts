import { userError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { vocabularyDigest } from "../data/digest.ts";
import { blobSource, recordsSource, textSource } from "../data/memory-source.ts";
import { openData } from "../data/open.ts";
import type { DataSource } from "../data/source.ts";
import { ADAPTER_CONFIG } from "../io/adapter-config.ts";
import { parseLines } from "../report/lines.ts";
import { dataOptionsOf } from "../run/data.ts";
import { METRICS_FILE, MODEL_FOLDER, RUN_FILE } from "../run/files.ts";
import type { OpenModel } from "../run/model.ts";
import { planTraining } from "../run/plan.ts";
import { isRun, recordedRun } from "../run/resume.ts";
import { allAreSettings, PROGRAM_NAMES, parseSettings, settingsFromJson } from "../run/settings/json.ts";
import { resolveSettings } from "../run/settings/resolve.ts";
import type { TrainSettings } from "../run/settings/table.ts";
import { type RunResult, trainRun } from "../run/train-run.ts";
import type { Folder } from "../storage/folder.ts";
import { memoryFolder } from "../storage/memory.ts";
import { openFiles, readText } from "../storage/read.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { RunListener, RunSummary } from "../train/events.ts";
import {
  ANYTHING,
  BLOB,
  NAMED_SETTINGS,
  requireArgument,
  requireList,
  requireOptions,
  SIGNAL,
  STORAGE,
  TEXT,
  TRAINING_TEXTS,
  WATCHER,
} from "./arguments.ts";
import { hearingOf } from "./hearing.ts";
import { baseIn } from "./load.ts";
import { type Model, partsOf } from "./model.ts";
import { speaking } from "./spoken.ts";

/** What to learn: records, one long text, files of a page, or files by their paths where there are paths. */
export type TrainingTexts =
  | readonly string[]
  | string
  | Blob
  | readonly Blob[]
  | { readonly files: string | readonly string[] };

/** What to learn, and what to evaluate on. */
export interface FinetuneData {
  readonly train: TrainingTexts;
  /** To evaluate on; or `evalSplit` in the settings. */
  readonly evaluate?: TrainingTexts;
}

type Settable = Omit<TrainSettings, "data" | "evalData" | "model" | "tokenizer">;

/** "learning_rate" of "learningRate". */
type SnakeCase<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${SnakeCase<Rest>}`
  : Name;

/**
 * Settings by their Hugging Face names, as `gpt2 train --help` lists them: `learningRate` or `learning_rate`, and the other names that
 * they have there.
 */
export type FinetuneSettings = { readonly [Name in keyof Settable]?: Settable[Name] | undefined } & {
  readonly [Name in keyof Settable as SnakeCase<Name>]?: Settable[Name] | undefined;
} & {
  readonly block_size?: number | undefined;
  readonly batch_size?: number | undefined;
  readonly gradient_checkpointing?: boolean | undefined;
  readonly lora_r?: number | undefined;
};

/** What a fine-tuning is stopped by, who hears of it, and where it is kept. */
export interface FinetuneOptions {
  /** Stops it after its step, which is saved; who calls again with the same storage goes on. */
  readonly signal?: AbortSignal | undefined;
  /** Hears of everything: steps, evaluations, samples, notices. */
  readonly onEvent?: RunListener | undefined;
  /** Where the run is kept: a folder, or its path. Default: memory, which is gone afterwards. */
  readonly storage?: Folder | string | undefined;
}

/** What became of it; the model has the new weights unless it was stopped. */
export type FinetuneResult = Pick<Extract<RunResult, { summary: unknown }>, "reason" | "summary" | "samples">;

/**
 * Trains a model on texts: it is then the model that came out, the best one where `loadBestModelAtEnd` is set. With `storage`
 * everything that `gpt2 train` keeps is there: checkpoints, metrics, a report, the model; a run that is in it goes on. Throws
 * `UserError` on what can be mended, and rejects with the signal's reason where it was stopped before the first step.
 */
export async function finetune(
  model: Model,
  data: TrainingTexts | FinetuneData,
  settings: FinetuneSettings = {},
  options: FinetuneOptions = {},
): Promise<FinetuneResult> {
  const parts = partsOf(model);
  requireData(data);
  requireArgument("finetune", "settings", settings, NAMED_SETTINGS);
  requireOptions("finetune", "options", options, { signal: SIGNAL, onEvent: WATCHER, storage: STORAGE });
  const { signal, storage } = options;
  let over = false;
  const { listener, end } = hearingOf(options.onEvent ?? {}, (event) => {
    // What a listener does after its run was stopped is nobody's to wait for, and another run may have begun.
    if (over) return;
    parts.refuse(
      event &&
        `finetune waits for onEvent.${event}, and the model's next turn is after finetune: call it then, or do not await it there`,
    );
  });
  const { environment } = parts;
  const folder = typeof storage === "string" ? environment.folder(storage) : (storage ?? memoryFolder("the run"));
  const act = async (): Promise<FinetuneResult> => {
    const goesOn = await isRun(folder);
    if (!goesOn && (await folder.list()).length > 0)
      userError(`${folder.path}: holds other things; wanted a new folder, or that of a run to go on with`, "usage");
    const { resolved, said, base } = await settingsOf(model, settings, goesOn ? folder : undefined);
    const { train, evaluate } = isPair(data) ? data : { train: data, evaluate: undefined };
    const stream = resolved.stream || typeof train === "string";
    const warned = (line: string): void => listener.warned?.(line);
    const { idleSettings } = await import("../run/settings/idle.ts");
    const given = { data: namesOf(train), ...(evaluate === undefined ? {} : { evalData: [] }) };
    for (const line of idleSettings({ ...resolved, ...given }, said)) warned(line);
    const plan = await planTraining(
      { ...resolved, stream },
      {
        model: base,
        tokenizer: base ? undefined : model.tokenizer,
        openData: async (wanted, given) =>
          openData(
            {
              sources: await sourcesOf(train, wanted.stream, environment.openData, signal),
              evalSources:
                evaluate === undefined
                  ? undefined
                  : await sourcesOf(evaluate, wanted.stream, environment.openData, signal, " to evaluate on"),
              ...dataOptionsOf(wanted),
            },
            given ?? noTokenizer,
            { notice: warned, signal },
          ),
      },
    );
    try {
      const device = await parts.device(signal);
      const result = await trainRun(plan, {
        home: goesOn ? { goesOn: folder, begin: async () => folder } : { begin: async () => folder },
        openRuntime: (wanted) => device.createRuntime(wanted),
        signal,
        listeners: options.onEvent ? [listener] : [],
        mayBeFinished: true,
        budget: environment.budget,
        writer: environment.writer,
      });
      if (result.reason === "already-finished" || result.model !== undefined)
        await parts.become((base) => openTrained(base, folder, warned));
      if (result.reason === "already-finished")
        return { reason: "finished", summary: await lastSummary(folder), samples: undefined };
      const { reason, summary, samples } = result;
      return { reason, summary, samples };
    } finally {
      // Of a run that was stopped a listener may still be at work, and nobody waits for it.
      over = true;
      parts.refuse(undefined);
      await plan.data.close();
    }
  };
  const finetuned = await speaking("finetune", () => parts.exclusively(act, signal));
  // The turn is over by then: a listener that nobody waited for may wait for a call of the model.
  await end();
  return finetuned;
}

/** Nobody trains on one such text; a name of a file is one. */
const PATH_LIKE = /^[^\r\n]{0,250}\.(txt|md|jsonl|ndjson|csv|tsv|parquet|bin|json|zip|gz)$/i;

function requireData(data: unknown): void {
  const pair = typeof data === "object" && data !== null && "train" in data;
  if (pair) requireOptions("finetune: data", "data", data, { train: ANYTHING, evaluate: ANYTHING });
  for (const [name, value] of Object.entries(pair ? data : { data })) {
    if (name === "evaluate" && value === undefined) continue;
    if (typeof value === "string" && PATH_LIKE.test(value))
      userError(
        `finetune: ${name} is the text ${JSON.stringify(value)}; of a file say { files: ${JSON.stringify(value)} }`,
        "usage",
      );
    if (Array.isArray(value)) requireList(`finetune: ${name}`, "text", value, value[0] instanceof Blob ? BLOB : TEXT);
    else requireArgument("finetune", name, value, TRAINING_TEXTS);
  }
}

function isPair(data: TrainingTexts | FinetuneData): data is FinetuneData {
  return typeof data === "object" && "train" in data;
}

const STORED = "it is storage, beside signal and onEvent: a folder, or its path";
const OF_MODEL = "it is an option of loadModel and createModel";

/** What the command line says beside the settings of a run, and a program elsewhere. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  output_dir: STORED,
  resume: STORED,
  resume_from_checkpoint: STORED,
  storage: STORED,
  run_name: STORED,
  device: OF_MODEL,
  use_cpu: OF_MODEL,
  no_cuda: OF_MODEL,
  adapter: OF_MODEL,
  on_event: "it is the argument after the settings: { onEvent }",
  signal: "it is the argument after the settings: { signal }",
  config: "give its fields",
  max_hours: "abort a signal: { signal: AbortSignal.timeout(ms) }",
};

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}

function nearestSetting(name: string): string {
  const near = nearest(name, [...PROGRAM_NAMES.keys()]);
  return near ? `did you mean ${near}?` : "docs/training.md has them, and the type FinetuneSettings";
}

/** What a file of settings may say, as a program says it. */
async function settingsFrom(given: FinetuneSettings): Promise<Partial<TrainSettings>> {
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (allAreSettings(said, PROGRAM_NAMES)) return settingsFromJson(said, "finetune", undefined, PROGRAM_NAMES);
  const { settingElsewhere } = await import("../run/settings/elsewhere.ts");
  const elsewhere = (name: string, value: unknown): string =>
    ARGUMENTS[snakeCase(name)] ??
    settingElsewhere(snakeCase(name), typeof value === "object" ? "" : String(value), (key) => key) ??
    nearestSetting(name);
  return settingsFromJson(said, "finetune", elsewhere, PROGRAM_NAMES);
}

/**
 * The run's settings: what was said, over what a run that goes on began with. A model brings its tokenizer and sizes. `base`: what
 * is fine-tuned; a run that began from scratch goes on so, whatever the model has become.
 */
async function settingsOf(model: Model, given: FinetuneSettings, run: Folder | undefined) {
  const said = await settingsFrom(given);
  for (const name of ["data", "evalData", "model", "tokenizer"] as const)
    if (said[name] !== undefined) userError(`finetune: ${name} is no setting here: it is an argument`, "usage");
  const { data: _, evalData: __, ...before } = run ? parseSettings(await readText(run, RUN_FILE), RUN_FILE) : {};
  const base = run && before.model === undefined ? undefined : partsOf(model).source;
  const { config, tokenizer } = model;
  const sizes = {
    tokenizer: tokenizer.kind,
    nEmbd: config.width,
    nLayer: config.layers,
    nHead: config.heads,
    nPositions: config.contextLength,
    bias: config.bias,
    activationFunction: config.activation,
  };
  if (run) await requireModelOf(run, before, sizes, tokenizer);
  const what = base ? { model: lastingName(base) } : sizes;
  const typed: Record<string, unknown> = { ...said };
  for (const [name, value] of Object.entries(sizes)) {
    const other = said[name as keyof typeof sizes];
    if (other !== undefined && other !== value)
      userError(`finetune: the model has ${name} ${value}; leave out ${name}`, "usage");
    delete typed[name];
  }
  return { resolved: resolveSettings({ file: { ...before, ...what }, typed }), said, base };
}

/** By which a model is found again, wherever the run goes on; of one in memory, what it is called. */
function lastingName({ base: { name, revision } = {}, path }: OpenModel): string {
  if (name === undefined) return path;
  return revision === undefined ? name : `${name}@${revision}`;
}

/** A run goes on with a model whose ids mean what its do, and one from scratch with its sizes, too: it becomes the model that is there. */
async function requireModelOf(
  run: Folder,
  before: Partial<TrainSettings>,
  sizes: Readonly<Partial<TrainSettings>>,
  tokenizer: Tokenizer,
): Promise<void> {
  const remedy = "give the one that it began with, or another storage";
  for (const [name, value] of before.model === undefined ? Object.entries(sizes) : []) {
    const has = before[name as keyof TrainSettings];
    if (has !== undefined && has !== value)
      userError(`${run.path}: is of a model with ${name} ${has}, this one has ${value}; ${remedy}`, "usage");
  }
  const { data } = await recordedRun(run);
  const { digest } = (data ?? {}) as { readonly digest?: unknown };
  // Its last part is that of the vocabulary.
  if (typeof digest === "string" && digest.split("-").at(-1) !== vocabularyDigest(tokenizer))
    userError(`${run.path}: is of a model with another vocabulary; ${remedy}`, "usage");
}

/** What data is called whose names say what its format is; texts have none but their own. */
function namesOf(texts: TrainingTexts): readonly string[] {
  if (typeof texts === "string") return ["the text.txt"];
  if (texts instanceof Blob) return [nameOf(texts)];
  if ("files" in texts) return typeof texts.files === "string" ? [texts.files] : texts.files;
  return texts[0] instanceof Blob ? (texts as readonly Blob[]).map(nameOf) : ["the texts.txt"];
}

/** A blob that is no file may hold anything. */
function nameOf(blob: Blob): string {
  return blob instanceof File ? blob.name : "-";
}

/** Sources of data out of whatever holds it; `use`: for messages, behind the name of what has none of its own. */
async function sourcesOf(
  texts: TrainingTexts,
  stream: boolean,
  openFiles: (paths: readonly string[], signal: AbortSignal | undefined) => Promise<DataSource[]>,
  signal: AbortSignal | undefined,
  use = "",
): Promise<DataSource[]> {
  if (typeof texts === "string") return [textSource(`the text${use}`, texts, "txt")];
  if (texts instanceof Blob) return [blobSource(texts)];
  if (typeof texts === "object" && "files" in texts && texts.files.length === 0)
    return userError("finetune: wanted some files, got an empty list", "usage");
  if ("files" in texts) return openFiles(typeof texts.files === "string" ? [texts.files] : texts.files, signal);
  const [first] = texts;
  if (first === undefined) return userError("finetune: wanted some texts, got an empty list", "usage");
  if (first instanceof Blob) return (texts as readonly Blob[]).map((blob) => blobSource(blob));
  if (stream) return (texts as readonly string[]).map((text, i) => textSource(`text ${i + 1}${use}`, text, "txt"));
  return [recordsSource(`the texts${use}`, texts as readonly string[])];
}

/** A model that is fine-tuned brings its tokenizer, and so does one that is made. */
function noTokenizer(): never {
  throw new Error("finetune: the model has no tokenizer");
}

/** What a run has saved: a model, or corrections to the one that it began with. */
async function openTrained(
  base: OpenModel | undefined,
  run: Folder,
  notice: (line: string) => void,
): Promise<OpenModel> {
  const { openModelFiles, withCorrections } = await import("../run/open-model.ts");
  const folder = run.folder(MODEL_FOLDER);
  const { files, close } = await openFiles(folder, () => true);
  if (!files.has(ADAPTER_CONFIG))
    return openModelFiles({ files, path: folder.path, base: baseIn(folder), close }, {}, notice);
  try {
    return await withCorrections(base!, files, folder.path);
  } finally {
    await close();
  }
}

/** How a run ended that was finished before. */
async function lastSummary(run: Folder): Promise<RunSummary> {
  const { lines } = parseLines(await readText(run, METRICS_FILE), METRICS_FILE);
  const end = lines.findLast((line) => line.kind === "end");
  if (!end) return userError(`${run.path}: its ${METRICS_FILE} does not say how it ended`);
  const { kind: _, time: __, ...summary } = end;
  return summary;
}
