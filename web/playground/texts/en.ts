/** What the page says, in English. */
import {
  describeData,
  describeEvaluation,
  describeModel,
  describeParts,
  describePlan,
} from "../../../src/report/plan-words.ts";
import type { DecimalMark } from "../numbers.ts";
import type { Prospect, StoredStatus } from "../protocol.ts";
import type { Remedy } from "../remedies.ts";
import type { Size } from "../settings.ts";
import type { Shape } from "../shape.ts";
import type { NumberField } from "../store.ts";
import { createTranslator, type Translator } from "./messages.ts";

const number = new Intl.NumberFormat("en");
const n = (value: number): string => number.format(Math.round(value));
const counted = (count: number, one: string, many = `${one}s`): string => `${n(count)} ${count === 1 ? one : many}`;

/** With so many digits behind the point, or the comma. */
export function decimal(locale: string, value: number, digits: number): string {
  return value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Where a message names what a page has not: files of its own, and data to evaluate on beside the data. */
const OWN = createTranslator([
  [
    "{} wants something to evaluate on: give --eval-split 0.1 or --eval-data FILES, or leave it out",
    "{1} wants something to evaluate on: give eval_split 0.1, or leave it out",
  ],
  [
    "byte {} is NUL; is it a binary file? wanted UTF-8 text, or say its format: --data-format, --prompt-format",
    "byte {1} is NUL; is it a binary file? wanted UTF-8 text, or say its format: data_format",
  ],
  ["{} does nothing without --eval-split or --eval-data", "{1} does nothing without eval_split"],
  [
    "{} ({}); its texts are in no file, since it could not be written ({}); try a lower --learning-rate",
    "{1} ({2}); what it was about could not be kept ({3}); try a lower learning_rate",
  ],
  [
    "{} ({}); its texts are in {}; try a lower --learning-rate",
    "{1} ({2}); what it was about can be downloaded where the run is shown; try a lower learning_rate",
  ],
  [
    "numReturnSequences is {}: without sampling all of them would be equal: set doSample, or numBeams",
    "at temperature 0 all {1} samples would be equal: ask for one, or raise the temperature",
  ],
  [
    "char tokenizer: character {} ({}) at line {}, column {} is not among the {} characters it was made of; leave it out, or take a model that has learnt it",
    "the model knows only the {5} characters of its data, and {1} ({2}), at line {3}, column {4}, is none of them; leave it out",
  ],
  ["{}; mend that, and resume the run", "{1}; mend that, and press Go on"],
]);

export const EN = {
  locale: "en",
  language: "Language",
  title: "Train a GPT-2 on your own list",
  lead: "Paste a list or drop a file, press Train, and watch a small language model learn it. All of it happens in this browser: nothing is sent anywhere.",
  skip: "Skip to the run",

  starting: "Starting ...",
  notStarted:
    "The page's worker did not start: a file of the page is missing, or the browser is too old for it. Reload the page.",
  notLoaded: "A part of the page could not be loaded. Is there a network? Reload the page.",
  onGpu: (name: string) => `Computing on ${name}, by WebGPU.`,
  onCpu: (threads: number) =>
    `Computing on the CPU, in WebAssembly on ${counted(threads, "thread")}: this page found no GPU to use.`,
  moreGpu:
    "A current Chrome, Edge, Safari or Firefox on a machine with a GPU uses it, where graphics acceleration is switched on in the browser's settings and the page is on https.",
  moreThreads: "Served with the headers COOP same-origin and COEP require-corp, it would use all cores.",
  notKept: (why: string) =>
    `This browser keeps no files for the page${why && ` (${why})`}: a run lives until the tab is closed. Download what you want to keep.`,

  data: "Data",
  example: "E-mail example",
  exampleHint: "2,000 invented addresses",
  paste: "Paste a list, one record a line",
  usePaste: "Use this text",
  pasted: "pasted text",
  choose: "Choose files",
  chooseHint: "Text, JSON lines, CSV, TSV or Parquet. Or drop them anywhere on the page.",
  chosen: (title: string) => `Chosen: ${title}`,
  scratch: "A new model, trained from scratch",
  tunes: (title: string) => `Trains on from ${title}`,
  modelHint:
    "Or train on from one: a Hugging Face GPT-2 directory, a zip of it such as this page makes, or one safetensors file, chosen here or dropped on the page; all of it, or corrections (lora_rank, under More settings).",
  modelFiles: "Files of a model, or a zip",
  modelFolder: "A model's folder",
  toScratch: "From scratch again",
  keepModel: "Keep it as it is, to sample it",
  drop: "Drop to use these files",

  settings: "Settings",
  size: "Size",
  sizes: { tiny: "tiny", small: "small", medium: "medium", large: "large", huge: "huge" } as Record<Size, string>,
  fields: {
    n_layer: "Layers",
    n_embd: "Width",
    n_positions: "Longest record, tokens",
    per_device_train_batch_size: "Records a step",
    max_steps: "Steps",
    learning_rate: "Learning rate",
  } as Record<string, string>,
  more: "More settings",
  moreHint: "By the names of gpt2 train and of transformers.",
  /** Of a field for several texts. */
  severalTexts: 'one a line; texts of several lines as JSON, such as ["a\\nb", "c"]',
  /** What a setting is for: the library says it in English. */
  help: (_name: string, english: string): string => english,
  /** Between a number and its decimals. */
  decimalMark: "." as DecimalMark,
  plainNumbers: "Numbers are written without separators of thousands: 1000.",
  noNumber: (name: string, text: string) =>
    `${name}: ${text} cannot be read as one number. Write 1000 without a separator of thousands, and decimals as in 0.5.`,
  wantModel: (names: readonly string[]) =>
    `${names.join(", ")}: only of use with a model to train on from. Open one above; until then a new one is trained, without that.`,
  brought: (names: readonly string[]) =>
    `${names.join(", ")}: not used, since the model that was opened brings its own.`,
  /** Of a run that cannot be, or loses much of its data: what a button does. */
  remedies: {
    column: (name) => `The text is in ${name}`,
    noValidation: () => "Train without validation",
    asText: () => "It is a text, and no list",
    set: (settings) => `Set ${settings}`,
    leaveOut: (name) => `Leave ${name} out`,
  } as Record<Remedy["kind"], (what: string) => string>,
  /** `brought`: by the model that is trained on from. */
  manyCut: (cut: number, records: number, places: number, brought: boolean) =>
    `${n(cut)} of ${counted(records, "record")} ${cut === 1 ? "is" : "are"} longer than ${counted(places, "token")}, and only what comes before is learnt. ${brought ? "This model has no more places; if" : "Raise the longest record in the settings, or, if"} this is a text and no list, have it learnt as one:`,
  looksLike: {
    jsonl: "Each line looks like a JSON object, and is learnt as it stands, braces and all.",
    csv: "This looks like a table with commas, and is learnt line by line as it stands.",
    tsv: "This looks like cells of a table, and is learnt line by line as it stands.",
  } as Record<Shape, string>,
  readAs: {
    jsonl: "Read it as JSON lines",
    csv: "Read it as a table",
    tsv: "Read it as a table",
  } as Record<Shape, string>,
  reset: "Back to the dial",
  compute: "Compute on",
  devices: { auto: "what is best", webgpu: "WebGPU", wasm: "WebAssembly" },
  linkProblem: (problem: string) =>
    `Some settings in this page's address cannot be used, so none of them are: ${problem}`,

  linkWhileTraining:
    "The settings in this page's address were not taken: a run trains here. Follow the link again once it has ended.",

  looking: "Reading the data ...",
  prospect: {
    data: "Data",
    model: "Model",
    trains: "Trains",
    plan: "Plan",
    evaluation: "Validation",
    memory: "Memory",
    time: "Time",
  },
  describeData: (p: Prospect) => describeData(p),
  describeModel: (p: Prospect) => describeModel(p),
  describeParts: (p: Prospect) => describeParts(p),
  describePlan: (p: Prospect) => describePlan(p),
  describeEvaluation: (p: Prospect) => describeEvaluation(p),
  describeMemory: (size: string) => `${size} on the device at most`,

  describeTime: (time: string, rate: number, steps: number) =>
    `about ${time} (${rate.toFixed(2)} steps/s, the median of ${counted(steps, "step")}; validation and saving not counted)`,

  train: "Train",
  measure: "Measure the time",
  measuring: "Measuring ...",
  pause: "Pause",
  goOn: "Go on",
  keep: "Stop and keep",
  pauseHint: "Pausing saves; the run goes on where it was, also after the page was closed.",

  run: "Run",
  openedModel: "A model that was opened and kept as it is: it can be sampled, below, and trained on from.",
  noRun: "No run yet. Press Train: curves and samples appear here.",
  phases: { preparation: "preparing", training: "training", end: "saving the model" },
  stopping: "stopping after this step, and saving",
  /** What a tab is called while a run trains in it. */
  tab: (percent: number, title: string) => `${percent} % \u00b7 ${title}`,
  progress: (step: number, all: number) => `Step ${n(step)} of ${n(all)}`,
  tiles: {
    loss: "Loss",
    eval_loss: "Validation loss",
    learning_rate: "Learning rate",
    grad_norm: "Gradient norm",
    tokens_per_second: "Tokens/s",
    remaining: "Time left",
  },
  curves: { loss: "Loss", learning_rate: "Learning rate", grad_norm: "Gradient norm", tokens_per_second: "Tokens/s" },
  curve: { training: "training", evaluation: "validation", value: "value", step: "step" },
  curveSays: (name: string, value: string, step: number) => `${name}: ${value} at step ${n(step)}`,
  curveEmpty: (name: string) => `${name}: nothing yet`,
  notices: "Notices",
  samples: (step: number) => `Samples at step ${n(step)}`,
  noSamples: "Samples come with each validation.",
  marks: {
    ended: "ended by itself",
    cut: "cut off",
    fresh: "new",
    known: "in the data",
    wellFormed: "well-formed",
    malformed: "malformed",
  },
  /** Of a sample. */
  nothing: "(nothing)",
  counts: ({ all, ended, fresh, wellFormed }: { all: number; ended: number; fresh?: number; wellFormed?: number }) =>
    `${counted(all, "sample")}: ${[
      ...(wellFormed === undefined ? [] : [`${n(wellFormed)} well-formed`]),
      `${n(ended)} ended by ${ended === 1 ? "itself" : "themselves"}`,
      ...(fresh === undefined ? [] : [`${n(fresh)} not in the data`]),
    ].join(", ")}`,
  outcome: {
    finished: "The run is finished, and its model saved.",
    "early-stop": "The run ended early, since validation got no better; its model is saved.",
    interrupted: "The run is paused, and saved.",
    "time-limit": "The run's time is over; it is saved.",
    "already-finished": "The run was finished before.",
    withdrawn: "The run was stopped before its first step.",
    kept: "The run is stopped, and its best model kept.",
  },
  crashed:
    "The page's worker ended in the middle of a run. It was started again, and the run goes on from its last checkpoint when you say so.",
  crashedMemory: "The page's worker ended, and with it the run, since this browser keeps no files for the page.",
  crashedIdle: "The page's worker ended, and was started again.",
  interrupted: (title: string, step: number, all: number) =>
    step === 0
      ? `${title} was not finished: nothing was saved yet, and it begins again.`
      : `${title} was not finished: step ${n(step)} of ${n(all)} is saved.`,
  diverged: (title: string, step: number, saved: number) =>
    `${title} has diverged: its numbers were no longer finite at step ${n(step)}${saved === 0 ? "" : `; step ${n(saved)} is saved`}. Going on does the same again: set it up again, and train with a lower learning rate. What step ${n(step)} was about, its numbers, settings and texts, can be taken away as a file:`,
  notFinite: (step: number) => `Download step ${n(step)}`,
  elsewhere: (title: string, step: number, all: number) =>
    `${title} trains in another tab: step ${n(step)} of ${n(all)}.`,

  sampleTitle: "Sample",
  sampleNothing: "There is no model yet: a run has one from its first checkpoint on.",
  prompt: "Prompt",
  promptHint: "Nothing: the model begins by itself.",
  promptTokens: (tokens: number) => `${counted(tokens, "token")}.`,
  promptRoom: (context: number) => `The model's context has ${counted(context, "place")}.`,
  promptCut: (seen: number, context: number) =>
    `Only the last ${seen === 1 ? "is" : `${n(seen)} are`} seen: the model's context has ${counted(context, "place")}.`,
  temperature: "Temperature",
  topK: "Top k",
  topP: "Top p",
  minP: "Min p",
  repetitionPenalty: "Repetition penalty",
  count: "How many",
  seed: "Seed",
  length: "Most tokens",
  /** What a number is for, and from where to where it goes. */
  sampleHelp: {
    temperature: (min, max) =>
      `how freely tokens are drawn, ${min} to ${max}; 0 takes the likeliest each time, 1 draws as the model says`,
    topK: (_, max) => `draw from so many of the likeliest tokens only, up to ${max}; 0: from all`,
    topP: (min, max) =>
      `draw from the likeliest tokens that have this share of the probability together, ${min} to ${max}; 1: from all`,
    minP: (min, max) =>
      `leave out tokens with less than this share of the likeliest one's probability, ${min} to ${max}; 0: none`,
    repetitionPenalty: (min, max) =>
      `above 1 makes tokens less likely that are there already, ${min} to ${max}; 1: as they are`,
    count: (min, max) => `samples that Generate makes at once, ${min} to ${max}`,
    seed: (min, max) => `the same number gives the same samples again, ${min} to ${max}`,
    maxNewTokens: (min, max) => `where a sample is cut off that does not end by itself, ${min} to ${max}`,
  } as Record<NumberField, (min: string, max: string) => string>,
  generate: "Generate",
  twenty: "20 at once",
  hush: "Stop",
  sampling: "Sampling ...",
  results: "Results",
  sampled: (count: number) => `${counted(count, "sample")}, done`,
  /** A number as English writes it, in this language. */
  figure: (english: string): string => english,
  decimal: (value: number, digits: number) => decimal("en", value, digits),
  percent: (share: number) => `${decimal("en", 100 * share, share < 0.1 ? 2 : 1)} %`,
  endOfText: "end of text",
  endMark: "end",
  /** What is read out for a character that is not seen. */
  unseenText: (text: string) =>
    ({ " ": "space", "\n": "line break", "\t": "tab", "": "part of a character" })[text] ?? text,
  tokenSays: (text: string, percent: string) => `${text}, ${percent}`,
  rivals: "Instead of it",
  rivalsHint:
    "Each token's probability under the model, before the settings above change it, and its five rivals: point at it, touch it, or go there with Tab and the arrow keys.",
  tokensOf: (prompt: string) => `Tokens after ${prompt === "" ? "the start" : prompt}`,

  kept: "Stored runs",
  keptHint: (memory: boolean): string =>
    memory ? "In this tab's memory." : "In this browser, on this device. Clearing the site's data removes them.",
  nothingKept: "Nothing is stored.",
  statuses: {
    running: "training",
    paused: "paused",
    diverged: "diverged",
    finished: "finished",
    kept: "stopped, kept",
    opened: "opened model",
    broken: "damaged",
  } as Record<StoredStatus, string>,
  here: "here",
  there: "in another tab",
  show: "Show",
  /** Of a stored run: its data, settings and model. */
  setUpAgain: "Set up again",
  /** The same of a model that was opened. */
  trainOn: "Train on from it",
  setUpAs: (title: string, trained: boolean) =>
    trained
      ? `Data, settings and model are those of ${title}: change what you like, and press Train.`
      : `It trains on from ${title}: choose data, and press Train.`,
  compare: "Compare",
  differing: "Settings that differ",
  setting: "Setting",
  alike: "None: the settings of these runs are the same.",
  download: "Download",
  remove: "Delete",
  removeSure: "Really delete",
  /** For those who listen: a button that is called otherwise says nothing. */
  removeAgain: (title: string) => `Press again to delete ${title}, or Escape to keep it.`,
  named: (action: string, title: string) => `${action}: ${title}`,
  failed: "That did not work",
  /** What the library says. */
  messages: { translate: (message) => OWN.translate(message) ?? message } as Translator,
  inEnglish: "",

  inside: {
    title: "Look inside",
    hint: "What a training step is made of and takes here, where the model's tokens look, and whether this device computes right.",
    open: "Open",
    tabs: { step: "A step", attention: "Attention", tokens: "Tokens", checks: "Checks" },
    stop: "Stop",
    working: "Working ...",
    notBeside: "Not while a run trains.",
    stepHint:
      "The step of the run that is set up, as the one tape that the device runs: every op with its time. A few steps are made for it, and nothing is kept.",
    measureStep: "Time every op",
    stepTook: (ops: number, ms: number, runs: number) =>
      `${counted(ops, "op")}, ${decimal("en", ms, 2)} ms in all: the mean of ${counted(runs, "step")}, each op timed by itself.`,
    stepUntimed: (ops: number) =>
      `${counted(ops, "op")}. This browser gives a page no timestamps of the GPU, so there are no times.`,
    coarse: (us: number) =>
      `This browser rounds times to some ${n(us)} µs, so short ops are known by their mean alone.`,
    byOp: "By op",
    op: "Op",
    share: "Share",
    nodes: "Nodes",
    dispatches: "Dispatches",
    tape: (ops: number) => `The whole tape, ${counted(ops, "line")}`,
    begin: "before the blocks",
    attentionHint: (title: string) =>
      `Of the model of ${title}: how much each token of a sentence looks at those before it.`,
    sentence: "Sentence",
    showAttention: "Show",
    layer: "Layer",
    head: "Head",
    meanOfHeads: "mean",
    /** Without a head: the mean of all. */
    mapOf: (layer: number, head?: number) =>
      `Attention of layer ${layer}, ${head === undefined ? "the mean of its heads" : `head ${head}`}: a row looks at its columns`,
    looks: (from: string, to: string, percent: string) => `${from} looks at ${to}: ${percent}`,
    pointAtCell: "Point at a cell, touch it, or go through them with the arrow keys.",
    nearestHint: (title: string) =>
      `Of the model of ${title}: the tokens whose vectors in its embedding point the same way, 1 being the same direction.`,
    token: "Token",
    findNearest: "Find the nearest",
    nearestTo: (token: string) => `Nearest to ${token}`,
    number: "Number",
    cosine: "Cosine",
    checksHint:
      "What gpt2 verify and gpt2 gradcheck do, on the device that this page computes on: a built-in model against the CPU in float64; and every op, its gradient against finite differences, and this device against the CPU.",
    verify: "Verify",
    gradcheck: "Check every op",
    checkedSoFar: (done: number, all: number) => `${n(done)} of ${counted(all, "op")}`,
    passed: "passed",
    failed: "FAILED",
    passedOf: (good: number, all: number) => `${n(good)} of ${n(all)} passed`,
    took: (seconds: number) => `${seconds.toFixed(1)} s`,
    check: "Check",
    error: "Error",
    bound: "Bound",
    verdict: "Verdict",
    allChecks: (count: number) => `All ${n(count)} checks`,
    cases: "Cases",
    differences: "Differences, of what is allowed",
    device: "From the CPU",
    noHalves: "This device has no f16: cases in f16 were checked by differences only.",
    copy: "Copy the whole report as JSON",
    download: "Download it",
    copied: "Copied.",
    copyYourself: "This browser does not let the page copy; here it is:",
  },
  dismiss: "Dismiss",
  footer: "Download gives a run's model as a zip: gpt2 generate opens it, and transformers once it is unpacked.",
};

export type Texts = typeof EN;
