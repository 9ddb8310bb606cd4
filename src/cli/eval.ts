import { Command } from "commander";
import { FORMATS, type Format } from "../core/dtype.ts";
import { userError } from "../core/errors.ts";
import { shellPath } from "../core/shell.ts";
import { createScorer, type Scorer } from "../generate/score.ts";
import type { Windows } from "../generate/windows.ts";
import type { Gpt2Config } from "../model/config.ts";
import { layoutParameters } from "../model/parameters.ts";
import { openSource } from "../platform/node/data-files.ts";
import { type OpenModel, requireTokenizer } from "../run/model.ts";
import type { OpenRuntime } from "../run/session.ts";
import { requireHalfWeights } from "../runtime/checks.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type ChoiceScores, type Question, readChoices, scoreChoices } from "./eval-choices.ts";
import { addDataOptions, DATA_FLAGS, type DataFlags, openScoredData } from "./eval-data.ts";
import { type Elsewhere, modelOr } from "./flags.ts";
import type { Interrupt } from "./interrupt.ts";
import { MODEL_HELP, openModel } from "./model-source.ts";
import { counted, decimals, rate, wholeNumber } from "./numbers.ts";
import { createEvalProgress, type EvalProgress } from "./progress.ts";
import { DEVICE_HELP, precisionOption, withRuntime } from "./runtime.ts";
import { quietOption, terminal } from "./terminal.ts";

interface EvalFlags extends DataFlags {
  readonly model: string;
  readonly config?: string;
  readonly data?: readonly string[];
  readonly choices?: string;
  readonly records?: boolean;
  readonly stride?: number;
  readonly batchSize: number;
  readonly limit?: number;
  readonly device?: string;
  readonly precision?: Format;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** How well a model predicts a text. */
export interface TextScores {
  /** Tokens that were predicted. */
  readonly tokens: number;
  readonly bytes: number;
  /** Mean cross-entropy of a token, in nats. */
  readonly loss: number;
  readonly perplexity: number;
  readonly bitsPerByte: number;
}

/** What is said of words that are none of this command's. */
export const EVAL_ELSEWHERE: Elsewhere = {
  word: modelOr((word) => `give a text with --data ${shellPath(word)}`),
  flag: (name) => (Object.hasOwn(EVAL_FLAGS, name) ? EVAL_FLAGS[name] : undefined),
};

const EVAL_FLAGS: Readonly<Record<string, string>> = {
  model_name_or_path: "it is --model here",
  checkpoint: "it is --model here",
  file: "it is --data here",
  text: "it is --data here",
  validation_file: "it is --data here",
  per_device_eval_batch_size: "it is --batch-size here",
  max_eval_samples: "it is --limit here",
  num_fewshot: "it is not to be had here: questions are asked as they are",
  tasks: "give questions as JSON lines with --choices; docs/generation.md has the fields",
  block_size: "a window is the model's context; --stride says by how much it moves",
  max_length: "a window is the model's context; --stride says by how much it moves",
  fp16: "give --precision f16",
  bf16: "WebGPU has no bfloat16; --precision f16 has weights of half the size",
  dtype: "it is --precision here: f32, f16 or i8",
  torch_dtype: "it is --precision here: f32, f16 or i8",
  load_in_8bit: "give --precision i8",
  load_in_4bit: "8 bits are the fewest here: --precision i8",
};

export function evalCommand(interrupt: Interrupt): Command {
  const command = new Command("eval")
    .description("Measure a model: loss, perplexity and bits per byte on a text, or accuracy on labelled choices.")
    .requiredOption("--model <source>", MODEL_HELP)
    .option("--adapter <directory>", "corrections (LoRA) to --model: a PEFT directory, or a run that trained them")
    .option("--config <file>", "a config.json for --model, where it has none or the wrong one")
    .option("--data <files...>", "txt, jsonl, csv, tsv, parquet or bin; globs; - for standard input")
    .option("--records", "each record between end tokens; the default for models that were trained so")
    .option("--no-records", "one text, read with a sliding window, whatever the model was trained on")
    .option("--stride <n>", "tokens that the window moves by, default half of the context", wholeNumber(1));
  return addDataOptions(command)
    .option("--choices <file>", "labelled choices, JSON lines as HellaSwag has them: ctx, endings, label")
    .option("--batch-size <n>", "windows, records or questions computed together", wholeNumber(1), 4)
    .option("--limit <n>", "only this many windows, records or questions", wholeNumber(1))
    .option("--device <name>", DEVICE_HELP)
    .addOption(
      precisionOption("of weights, as gpt2 generate has them; what is computed is f32", FORMATS).default("f32"),
    )
    .option("--json", "print one JSON object")
    .addOption(quietOption())
    .action((flags: EvalFlags) => evaluate(flags, interrupt));
}

async function evaluate(flags: EvalFlags, interrupt: Interrupt): Promise<void> {
  terminal.begin({ quiet: flags.quiet === true });
  const { data, choices, records, stride } = flags;
  if ((data === undefined) === (choices === undefined))
    userError("eval: wanted one of --data FILES and --choices JSONL", "usage");
  if (choices !== undefined && (records !== undefined || stride !== undefined))
    userError("--records and --stride are for --data", "usage");
  const about = DATA_FLAGS.find((name) => flags[name] !== undefined);
  if (choices !== undefined && about !== undefined)
    userError(
      `--${about.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} is for --data; leave it out`,
      "usage",
    );
  if (records && stride !== undefined)
    userError("--stride moves a window along one text: leave it out, or --records", "usage");
  interrupt.watch();
  const { signal } = interrupt;
  const model = await openModel(flags.model, { ...flags, signal });
  try {
    await evaluateModel(model, flags, signal);
  } finally {
    await model.close();
  }
}

async function evaluateModel(model: OpenModel, flags: EvalFlags, signal: AbortSignal): Promise<void> {
  const { data, choices, stride, limit } = flags;
  const { config } = model;
  const records = flags.records ?? (model.startToken && stride === undefined);
  const tokenizer = requireTokenizer(model);
  if (stride !== undefined && stride > config.contextLength)
    userError(
      `--stride is ${stride}: more than the context of ${config.contextLength} would leave tokens out`,
      "usage",
    );
  const questions = choices === undefined ? undefined : await openChoices(choices, signal);
  const windowing = { records, contextLength: config.contextLength, stride: stride ?? halfOf(config) };
  const scored =
    data &&
    (await openScoredData(data, flags, tokenizer, windowing, {
      notice: terminal.warn,
      signal,
    }));
  const layout = layoutParameters(config, { precision: flags.precision });
  try {
    const use = async (runtime: OpenRuntime): Promise<void> => {
      requireHalfWeights(flags.precision, runtime);
      await model.load(runtime, layout);
      const scorer = createScorer(runtime, config, layout);
      const started = performance.now();
      const seconds = (): number => (performance.now() - started) / 1000;
      if (questions) {
        const chosen = questions.slice(0, limit);
        const progress = createEvalProgress(chosen.length, "questions");
        const batch = { contextLength: config.contextLength, batchSize: flags.batchSize };
        const scores = await scoreChoices(scorer, tokenizer, chosen, batch, progress.update).finally(progress.stop);
        printChoices(scores, seconds(), flags.json === true);
      } else if (scored) {
        const { windows, unit } = scored;
        if (windows.count === 0) userError(`${data!.join(", ")}: has one token; wanted two or more, to predict one`);
        const chosen = { count: Math.min(windows.count, limit ?? windows.count), at: windows.at };
        const progress = createEvalProgress(chosen.count, unit);
        const scores = await scoreText(scorer, tokenizer, chosen, flags.batchSize, progress).finally(progress.stop);
        printText(scores, seconds(), flags.json === true);
      }
      scorer.dispose();
    };
    await withRuntime(flags.device, use, { signal });
  } finally {
    await scored?.close();
  }
}

async function openChoices(path: string, signal: AbortSignal): Promise<Question[]> {
  const source = await openSource(path, signal);
  try {
    return await readChoices(source, signal);
  } finally {
    await source.close();
  }
}

function halfOf({ contextLength }: Gpt2Config): number {
  return Math.ceil(contextLength / 2);
}

/** Scores windows, some at a time. The end token counts as no bytes: it stands for none. */
export async function scoreText(
  scorer: Scorer,
  tokenizer: Tokenizer,
  windows: Windows,
  batchSize: number,
  progress: Pick<EvalProgress, "update">,
): Promise<TextScores> {
  let [tokens, bytes, total] = [0, 0, 0];
  for (let at = 0; at < windows.count; at += batchSize) {
    const size = Math.min(batchSize, windows.count - at);
    const batch = Array.from({ length: size }, (_, i) => windows.at(at + i));
    const scores = await scorer.score(batch.map(({ ids }) => ids));
    batch.forEach(({ ids, from }, i) => {
      for (let place = from; place < ids.length; place++) {
        const id = ids[place]!;
        total -= scores[i]![place - 1]!;
        tokens += 1;
        bytes += id === tokenizer.endId ? 0 : tokenizer.bytes(id).length;
      }
    });
    progress.update(at + batch.length, `loss ${(total / tokens).toFixed(4)}`);
  }
  const loss = total / tokens;
  return { tokens, bytes, loss, perplexity: Math.exp(loss), bitsPerByte: total / Math.LN2 / bytes };
}

function printText(scores: TextScores, seconds: number, json: boolean): void {
  if (json) {
    terminal.json({ ...scores, seconds });
    return;
  }
  terminal.result(`loss           ${scores.loss.toFixed(4)} nats a token`);
  terminal.result(`perplexity     ${decimals(scores.perplexity, 3)}`);
  terminal.result(`bits per byte  ${scores.bitsPerByte.toFixed(4)}`);
  const pace = rate(scores.tokens / seconds);
  terminal.result(
    `${counted(scores.tokens, "token")}, ${counted(scores.bytes, "byte")} in ${seconds.toFixed(1)} s, ${pace} tokens/s`,
  );
}

function printChoices(scores: ChoiceScores, seconds: number, json: boolean): void {
  if (json) {
    terminal.json({ ...scores, seconds });
    return;
  }
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  const error = 100 * Math.sqrt((scores.accuracyNorm * (1 - scores.accuracyNorm)) / scores.questions);
  terminal.result(
    `accuracy       ${percent(scores.accuracyNorm)} +- ${error.toFixed(2)}, by mean log-likelihood of a token`,
  );
  terminal.result(`               ${percent(scores.accuracy)}, by the sum`);
  terminal.result(`${counted(scores.questions, "question")} in ${seconds.toFixed(1)} s`);
}
