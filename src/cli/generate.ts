import { Command } from "commander";
import { userError } from "../core/errors.ts";
import { createGenerator } from "../generate/generate.ts";
import { layoutParameters } from "../model/parameters.ts";
import { MODEL_HELP, openModel, requireTokenizer } from "./model-source.ts";
import { numberBetween, wholeNumber } from "./numbers.ts";
import { DEVICE_HELP, withRuntime } from "./runtime.ts";

interface GenerateFlags {
  readonly model: string;
  readonly config?: string;
  readonly prompt: string;
  readonly numReturnSequences: number;
  readonly temperature: number;
  readonly topK: number;
  readonly maxNewTokens: number;
  readonly seed: number;
  readonly device?: string;
  readonly json?: boolean;
}

export function generateCommand(): Command {
  return new Command("generate")
    .description("Sample a trained model.")
    .requiredOption("--model <source>", MODEL_HELP)
    .option("--config <file>", "a config.json for --model, where it has none or the wrong one")
    .option("--prompt <text>", "what to continue", "")
    .option("--num-return-sequences <n>", "samples", wholeNumber(1), 1)
    .option("--temperature <x>", "0 takes the most probable token", numberBetween(0, 100), 1)
    .option("--top-k <n>", "draw from the n most probable tokens; 0: from all", wholeNumber(0), 50)
    .option("--max-new-tokens <n>", "longest continuation", wholeNumber(1), 256)
    .option("--seed <n>", "equal seeds give equal samples", wholeNumber(0), 42)
    .option("--device <name>", DEVICE_HELP)
    .option("--json", "print one JSON object a sample")
    .action(generate);
}

async function generate(flags: GenerateFlags): Promise<void> {
  const model = await openModel(flags.model, flags);
  const { config, startToken } = model;
  const tokenizer = requireTokenizer(model);
  const text = tokenizer.encode(flags.prompt);
  // Without any id there is nothing to continue; the end token is what a text starts after.
  const prompt = startToken || text.length === 0 ? [tokenizer.endId, ...text] : [...text];
  if (prompt.length >= config.contextLength) {
    userError(
      `the prompt has ${prompt.length} tokens, the model's context ${config.contextLength}: none is left to generate`,
    );
  }
  const layout = layoutParameters(config);
  await withRuntime(flags.device, async (runtime) => {
    await model.load(runtime, layout);
    await model.close();
    const generator = createGenerator(runtime, config, layout);
    const prompts = Array.from({ length: flags.numReturnSequences }, () => prompt);
    const samples = await generator.generate(prompts, { temperature: flags.temperature, eosTokenId: config.eosTokenId });
    for (const { ids, stopped } of samples) {
      const continued = flags.prompt + tokenizer.decode(ids);
      console.log(flags.json ? JSON.stringify({ text: continued, ids, stopped }) : continued);
    }
    generator.dispose();
    const cut = samples.filter(({ stopped }) => stopped !== "end").length;
    if (!flags.json && cut > 0)
      console.error(`${cut} of ${samples.length} were cut off, by --max-new-tokens or the context`);
  });
}
