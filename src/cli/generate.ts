import { Command, Option } from "commander";
import type { Tape } from "../autograd/tape.ts";
import { FORMATS, type Format } from "../core/dtype.ts";
import { userError } from "../core/errors.ts";
import { largest } from "../core/extremes.ts";
import { createGenerator } from "../generate/generate.ts";
import { generationOptions } from "../generate/option-elsewhere.ts";
import { encodePrompt, encodePrompts } from "../generate/prompts.ts";
import type { Gpt2Config } from "../model/config.ts";
import { decodeTape, prefillTape } from "../model/decode.ts";
import { layoutParameters, type ParameterLayout } from "../model/parameters.ts";
import { type OpenModel, requireTokenizer } from "../run/model.ts";
import type { OpenRuntime } from "../run/session.ts";
import { requireHalfWeights } from "../runtime/checks.ts";
import { type Elsewhere, modelOr } from "./flags.ts";
import {
  addGenerationOptions,
  flagOf,
  type GenerationFlags,
  generationElsewhere,
  optionsOfFlags,
  speltAsFlags,
} from "./generate-flags.ts";
import { interact, printResults, printStream, reportCut } from "./generate-print.ts";
import { NO_PROMPTS, PROMPT_FORMATS, type PromptFlags, readPrompts } from "./generate-prompts.ts";
import type { Interrupt } from "./interrupt.ts";
import { MODEL_HELP, openModel } from "./model-source.ts";
import { DEVICE_HELP, precisionOption, withRuntime } from "./runtime.ts";
import { quietOption, terminal } from "./terminal.ts";
import { tuneOption } from "./tune.ts";

interface GenerateFlags extends GenerationFlags, PromptFlags {
  readonly model: string;
  readonly config?: string;
  readonly window?: boolean;
  readonly interactive?: boolean;
  readonly device?: string;
  readonly precision?: Format;
  readonly tune?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** What is said of words that are none of this command's. */
export const GENERATE_ELSEWHERE: Elsewhere = {
  word: modelOr((word) => `give a text with --prompt ${JSON.stringify(word)}`),
  flag: generationElsewhere,
};

export function generateCommand(interrupt: Interrupt): Command {
  const command = new Command("generate")
    .description("Continue texts with a model; options have their Hugging Face names. See docs/generation.md.")
    .requiredOption("--model <source>", MODEL_HELP)
    .option("--adapter <directory>", "corrections (LoRA) to --model: a PEFT directory, or a run that trained them")
    .option("--config <file>", "a config.json for --model, where it has none or the wrong one")
    .option("--prompt <text...>", "what to continue, - for standard input; default: nothing, a new text")
    .option("--prompt-file <file>", "a prompt a line, or jsonl, csv, tsv, parquet; - for standard input")
    .addOption(
      new Option("--prompt-format <format>", "of --prompt-file, where its name does not say").choices(PROMPT_FORMATS),
    )
    .option("--prompt-column <name>", "of --prompt-file; default prompt, or text");
  return addGenerationOptions(command)
    .option("--window", "of a prompt that does not fit the context, continue its end")
    .option("--interactive", "ask for prompts until the input ends")
    .option("--device <name>", DEVICE_HELP)
    .addOption(
      precisionOption(
        "of weights: f16 halves memory and what a token reads, keys and values too, i8 quarters it",
        FORMATS,
      ).default("f32"),
    )
    .addOption(tuneOption())
    .option("--json", "print one JSON object a sequence: its number, prompt, text, ids, why it stopped")
    .addOption(quietOption())
    .action((flags: GenerateFlags) =>
      generate(flags, interrupt).catch((error) => {
        throw speltAsFlags(error);
      }),
    );
}

async function generate(flags: GenerateFlags, interrupt: Interrupt): Promise<void> {
  terminal.begin({ quiet: flags.quiet === true });
  if (flags.interactive && (flags.prompt || flags.promptFile || flags.json))
    userError("--interactive asks for prompts: leave out --prompt, --prompt-file and --json", "usage");
  for (const name of ["numReturnSequences", "numBeams"] as const)
    if (flags.interactive && (flags[name] ?? 1) > 1)
      userError(`--interactive writes one text as it comes: leave out ${flagOf(name)}`, "usage");
  for (const name of ["promptFormat", "promptColumn"] as const)
    if (flags[name] !== undefined && flags.promptFile === undefined)
      userError(`${flagOf(name)} is for --prompt-file: give both`, "usage");
  if (flags.logProbabilities && !flags.json) userError("--log-probabilities is for --json: give both", "usage");
  if (flags.topLogProbabilities && !flags.json) userError("--top-log-probabilities is for --json: give both", "usage");
  interrupt.watch();
  const { signal } = interrupt;
  const model = await openModel(flags.model, { ...flags, signal });
  try {
    await generateWith(model, flags, signal);
  } finally {
    await model.close();
  }
}

async function generateWith(model: OpenModel, flags: GenerateFlags, signal: AbortSignal): Promise<void> {
  const { config } = model;
  const tokenizer = requireTokenizer(model);
  const options = optionsOfFlags(flags, tokenizer, model.endIds);
  const { most, numBeams, numReturnSequences } = generationOptions(options, config); // mistakes come before the wait
  const encode = (text: string): number[] => encodePrompt(text, model, tokenizer, flags.window === true, most.length);
  const { texts: prompts, where } = flags.interactive
    ? NO_PROMPTS
    : await readPrompts(flags, (line) => terminal.say(line), signal);
  const encoded = encodePrompts(prompts, encode, where);
  const layout = layoutParameters(config, { precision: flags.precision });
  const use = async (opened: OpenRuntime): Promise<void> => {
    requireHalfWeights(flags.precision, opened);
    const count = Math.max(1, prompts.length);
    const longest = largest(
      encoded.map(({ length }) => length),
      1,
    );
    const sizes = { rows: count * Math.max(numBeams, numReturnSequences), prompts: count, prompt: longest };
    const runtime = flags.tune ? await opened.tuned(generationTapes(config, layout, sizes)) : opened;
    await model.load(runtime, layout);
    const generator = createGenerator(runtime, config, layout);
    if (flags.interactive) {
      await interact(async (text, turn, stopped) => {
        const seed = (options.seed ?? 0) + turn;
        reportCut([await printStream(generator, text, encode(text), { ...options, seed }, stopped)], options);
      }, signal);
      return;
    }
    if (prompts.length === 1 && numBeams === 1 && numReturnSequences === 1 && !flags.json) {
      reportCut([await printStream(generator, prompts[0]!, encoded[0]!, options, signal)], options);
      return;
    }
    const results = generator.results(encoded, options, signal);
    await printResults(results, { texts: prompts, where }, options, flags.json === true);
  };
  await withRuntime(flags.device, use, { signal });
}

/** What a request computes, as far as the sizes of its products go. */
function generationTapes(
  config: Gpt2Config,
  layout: ParameterLayout,
  { rows, prompts, prompt }: { readonly rows: number; readonly prompts: number; readonly prompt: number },
): Tape[] {
  const shape = { rows, places: config.contextLength, settings: 64 };
  return [
    prefillTape(config, layout, shape, { prompts, length: prompt }, "logits"),
    decodeTape(config, layout, shape, "logits"),
  ];
}
