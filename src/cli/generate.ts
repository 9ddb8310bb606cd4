import { Command, Option } from "commander";
import type { Tape } from "../autograd/tape.ts";
import { userError } from "../core/errors.ts";
import { DATA_FORMATS } from "../data/source.ts";
import { createGenerator } from "../generate/generate.ts";
import { generationOptions } from "../generate/options.ts";
import type { Gpt2Config } from "../model/config.ts";
import { decodeTape, prefillTape } from "../model/decode.ts";
import { layoutParameters, type ParameterLayout } from "../model/parameters.ts";
import { addGenerationOptions, type GenerationFlags, optionsOfFlags, speltAsFlags } from "./generate-flags.ts";
import { interact, jsonLine, printStream, reportCut } from "./generate-print.ts";
import { encodePrompt, type PromptFlags, readPrompts } from "./generate-prompts.ts";
import { MODEL_HELP, type OpenModel, openModel, requireTokenizer } from "./model-source.ts";
import { DEVICE_HELP, withRuntime } from "./runtime.ts";
import { tuneOption } from "./tune.ts";

interface GenerateFlags extends GenerationFlags, PromptFlags {
  readonly model: string;
  readonly config?: string;
  readonly window?: boolean;
  readonly interactive?: boolean;
  readonly device?: string;
  readonly tune?: boolean;
  readonly json?: boolean;
}

export function generateCommand(): Command {
  const command = new Command("generate")
    .description("Continue texts with a model; options have their Hugging Face names. See docs/generation.md.")
    .requiredOption("--model <source>", MODEL_HELP)
    .option("--adapter <directory>", "corrections (LoRA) to --model: a PEFT directory, or a run that trained them")
    .option("--config <file>", "a config.json for --model, where it has none or the wrong one")
    .option("--prompt <text...>", "what to continue, - for standard input; default: nothing, a new text")
    .option("--prompt-file <file>", "a prompt a line, or jsonl, csv, tsv, parquet; - for standard input")
    .addOption(
      new Option("--prompt-format <format>", "of --prompt-file, where its name does not say").choices(DATA_FORMATS),
    )
    .option("--prompt-column <name>", "of --prompt-file; default prompt");
  return addGenerationOptions(command)
    .option("--window", "of a prompt that does not fit the context, continue its end")
    .option("--interactive", "ask for prompts until the input ends")
    .option("--device <name>", DEVICE_HELP)
    .addOption(tuneOption())
    .option("--json", "print one JSON object a sequence: prompt, text, ids, why it stopped")
    .action((flags: GenerateFlags) =>
      generate(flags).catch((error) => {
        throw speltAsFlags(error);
      }),
    );
}

async function generate(flags: GenerateFlags): Promise<void> {
  if (flags.interactive && (flags.prompt || flags.promptFile || flags.json))
    userError("--interactive asks for prompts: leave out --prompt, --prompt-file and --json");
  if (flags.logProbabilities && !flags.json) userError("--log-probabilities is for --json: give both");
  const model = await openModel(flags.model, flags);
  try {
    await generateWith(model, flags);
  } finally {
    await model.close();
  }
}

async function generateWith(model: OpenModel, flags: GenerateFlags): Promise<void> {
  const { config } = model;
  const tokenizer = requireTokenizer(model);
  const options = optionsOfFlags(flags, tokenizer, model.endIds);
  const { most, numBeams, numReturnSequences } = generationOptions(options, config); // mistakes come before the wait
  const encode = (text: string): number[] => encodePrompt(text, model, tokenizer, flags.window === true, most.length);
  const prompts = flags.interactive ? [] : await readPrompts(flags);
  const encoded = prompts.map(encode);
  const layout = layoutParameters(config);
  await withRuntime(flags.device, async (opened) => {
    const count = Math.max(1, prompts.length);
    const longest = Math.max(1, ...encoded.map(({ length }) => length));
    const sizes = { rows: count * Math.max(numBeams, numReturnSequences), prompts: count, prompt: longest };
    const runtime = flags.tune ? await opened.tuned(generationTapes(config, layout, sizes)) : opened;
    await model.load(runtime, layout);
    const generator = createGenerator(runtime, config, layout);
    if (flags.interactive) {
      await interact((text, turn, signal) => {
        const seed = (options.seed ?? 0) + turn;
        return printStream(generator, text, encode(text), { ...options, seed }, signal);
      });
      return;
    }
    if (prompts.length === 1 && numBeams === 1 && numReturnSequences === 1 && !flags.json) {
      reportCut([await printStream(generator, prompts[0]!, encoded[0]!, options)]);
      return;
    }
    const samples = await generator.generate(encoded, options);
    samples.forEach((sample, i) => {
      const prompt = prompts[Math.floor(i / numReturnSequences)]!;
      console.log(flags.json ? jsonLine(prompt, sample) : prompt + sample.text);
    });
    if (!flags.json) reportCut(samples);
  });
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
