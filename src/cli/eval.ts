import { Command } from "commander";
import { userError } from "../core/errors.ts";
import { linesOf } from "../data/records.ts";
import { createScorer, type Scorer, slidingWindows, type Window } from "../generate/score.ts";
import { layoutParameters } from "../model/parameters.ts";
import { requireEndId, type Tokenizer } from "../text/tokenizer.ts";
import { type ChoiceScores, parseChoices, scoreChoices } from "./eval-choices.ts";
import { createEvalProgress, type EvalProgress } from "./eval-progress.ts";
import { readText } from "./files.ts";
import { MODEL_HELP, type OpenModel, openModel, requireTokenizer } from "./model-source.ts";
import { grouped, wholeNumber } from "./numbers.ts";
import { DEVICE_HELP, withRuntime } from "./runtime.ts";

interface EvalFlags {
  readonly model: string;
  readonly config?: string;
  readonly data?: string;
  readonly choices?: string;
  readonly records?: boolean;
  readonly stride?: number;
  readonly batchSize: number;
  readonly limit?: number;
  readonly device?: string;
  readonly json?: boolean;
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

export function evalCommand(): Command {
  return new Command("eval")
    .description("Measure a model: loss, perplexity and bits per byte on a text, or accuracy on labelled choices.")
    .requiredOption("--model <source>", MODEL_HELP)
    .option("--config <file>", "a config.json for --model, where it has none or the wrong one")
    .option("--data <file>", "a UTF-8 text, read with a sliding window")
    .option("--records", "one record a line, each between end tokens; the default for models that were trained so")
    .option("--no-records", "one text, whatever the model was trained on")
    .option("--stride <n>", "tokens that the window moves by, default half of the context", wholeNumber(1))
    .option("--choices <file>", "labelled choices, JSON lines as HellaSwag has them: ctx, endings, label")
    .option("--batch-size <n>", "windows, records or questions computed together", wholeNumber(1), 4)
    .option("--limit <n>", "only this many windows, records or questions", wholeNumber(1))
    .option("--device <name>", DEVICE_HELP)
    .option("--json", "print one JSON object")
    .action(evaluate);
}

async function evaluate(flags: EvalFlags): Promise<void> {
  const { data, choices, records, stride } = flags;
  if ((data === undefined) === (choices === undefined))
    userError("eval: wanted one of --data TEXT and --choices JSONL");
  if (choices !== undefined && (records !== undefined || stride !== undefined))
    userError("--records and --stride are for --data");
  if (records && stride !== undefined) userError("--stride moves a window along one text: leave it out, or --records");
  const model = await openModel(flags.model, flags);
  try {
    await evaluateModel(model, flags);
  } finally {
    await model.close();
  }
}

async function evaluateModel(model: OpenModel, flags: EvalFlags): Promise<void> {
  const { data, choices, stride, limit } = flags;
  const { config } = model;
  const records = flags.records ?? (model.startToken && stride === undefined);
  const tokenizer = requireTokenizer(model);
  if (stride !== undefined && stride > config.contextLength)
    userError(`--stride is ${stride}: more than the context of ${config.contextLength} would leave tokens out`);
  const text = readText((data ?? choices)!);
  const layout = layoutParameters(config);
  await withRuntime(flags.device, async (runtime) => {
    await model.load(runtime, layout);
    const scorer = createScorer(runtime, config, layout);
    const started = performance.now();
    const seconds = (): number => (performance.now() - started) / 1000;
    if (choices !== undefined) {
      const questions = parseChoices(text, choices).slice(0, limit);
      const progress = createEvalProgress(questions.length, "questions");
      const scores = await scoreChoices(scorer, tokenizer, questions, config.contextLength, progress.update);
      progress.stop();
      printChoices(scores, seconds(), flags.json === true);
    } else {
      const windows = records
        ? recordWindows(text, tokenizer, config.contextLength)
        : slidingWindows(
            [...startOf(tokenizer), ...tokenizer.encode(text)],
            config.contextLength,
            stride ?? Math.ceil(config.contextLength / 2),
          );
      if (windows.length === 0) userError(`${data}: is empty`);
      const chosen = windows.slice(0, limit);
      const progress = createEvalProgress(chosen.length, records ? "records" : "windows");
      const scores = await scoreText(scorer, tokenizer, chosen, flags.batchSize, progress);
      progress.stop();
      printText(scores, seconds(), flags.json === true);
    }
    scorer.dispose();
  });
}

/** What a text is read after: the end token, or nothing where the model knows none. */
function startOf({ endId }: Tokenizer): number[] {
  return endId === undefined ? [] : [endId];
}

/** Each line between end tokens, the last of which is predicted too; a line that is too long is cut. */
function recordWindows(text: string, tokenizer: Tokenizer, context: number): Window[] {
  return linesOf(text).map((line) => ({
    ids: [requireEndId(tokenizer), ...tokenizer.encode(line), requireEndId(tokenizer)].slice(0, context + 1),
    from: 1,
  }));
}

/** Scores windows, some at a time. The end token counts as no bytes: it stands for none. */
export async function scoreText(
  scorer: Scorer,
  tokenizer: Tokenizer,
  windows: readonly Window[],
  batchSize: number,
  progress: Pick<EvalProgress, "update">,
): Promise<TextScores> {
  let [tokens, bytes, total] = [0, 0, 0];
  for (let at = 0; at < windows.length; at += batchSize) {
    const batch = windows.slice(at, at + batchSize);
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
    console.log(JSON.stringify({ ...scores, seconds }));
    return;
  }
  console.log(`loss           ${scores.loss.toFixed(4)} nats a token`);
  console.log(`perplexity     ${scores.perplexity.toFixed(3)}`);
  console.log(`bits per byte  ${scores.bitsPerByte.toFixed(4)}`);
  const pace = grouped(scores.tokens / seconds);
  console.log(
    `${grouped(scores.tokens)} tokens, ${grouped(scores.bytes)} bytes in ${seconds.toFixed(1)} s, ${pace} tokens/s`,
  );
}

function printChoices(scores: ChoiceScores, seconds: number, json: boolean): void {
  if (json) {
    console.log(JSON.stringify({ ...scores, seconds }));
    return;
  }
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  const error = 100 * Math.sqrt((scores.accuracyNorm * (1 - scores.accuracyNorm)) / scores.questions);
  console.log(
    `accuracy       ${percent(scores.accuracyNorm)} +- ${error.toFixed(2)}, by mean log-likelihood of a token`,
  );
  console.log(`               ${percent(scores.accuracy)}, by the sum`);
  console.log(`${grouped(scores.questions)} questions in ${seconds.toFixed(1)} s`);
}
