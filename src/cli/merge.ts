import { existsSync } from "node:fs";
import { Command } from "commander";
import pc from "picocolors";
import { userError } from "../core/errors.ts";
import { layoutParameters } from "../model/parameters.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import { adapterFolder } from "./adapter-source.ts";
import type { Interrupt } from "./interrupt.ts";
import { MODEL_HELP, openModel } from "./model-source.ts";
import { saveModel } from "./save-model.ts";

interface MergeFlags {
  readonly model: string;
  readonly adapter?: string;
  readonly outputDir: string;
}

export function mergeCommand(interrupt: Interrupt): Command {
  return new Command("merge")
    .description(
      "Add the corrections of a PEFT directory (LoRA) to the model that they are of, and save it as a whole model.",
    )
    .requiredOption("--model <source>", `${MODEL_HELP}; or a PEFT directory that names its model`)
    .option("--adapter <directory>", "a PEFT directory, or a run that trained LoRA")
    .requiredOption("--output-dir <directory>", "where to save; must not exist yet")
    .action((flags: MergeFlags) => merge(flags, interrupt));
}

async function merge({ model: source, adapter, outputDir }: MergeFlags, interrupt: Interrupt): Promise<void> {
  if (existsSync(outputDir)) userError(`${outputDir}: exists already; choose another --output-dir`, "usage");
  if (adapter === undefined && adapterFolder(source) === undefined)
    userError(`${source}: is no PEFT directory; give one with --adapter`);
  interrupt.watch();
  const { signal } = interrupt;
  const model = await openModel(source, { adapter, signal });
  try {
    // Nothing is computed here, so that no device is needed.
    const [runtime, layout] = [createCpuRuntime({ signal }), layoutParameters(model.config)];
    await model.load(runtime, layout);
    await saveModel(runtime, layout, model, outputDir);
  } finally {
    await model.close();
  }
  console.log(`saved in ${pc.bold(outputDir)}`);
}
