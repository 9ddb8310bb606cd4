import { existsSync, rmdirSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { Command } from "commander";
import pc from "picocolors";
import { userError } from "../core/errors.ts";
import { shellPath } from "../core/shell.ts";
import { layoutParameters } from "../model/parameters.ts";
import { adapterFolder } from "../node/adapters.ts";
import { requireModelName } from "../node/models.ts";
import { modelOfRun } from "../node/run-model.ts";
import { checkWritable, isEmptyDirectory } from "../platform/node/directories.ts";
import { typedPath } from "../platform/node/paths.ts";
import { nodeFolder } from "../platform/node/storage.ts";
import { saveModel } from "../run/save-model.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import { type Elsewhere, modelOr } from "./flags.ts";
import type { Interrupt } from "./interrupt.ts";
import { MODEL_HELP, openModel } from "./model-source.ts";
import { printable, terminal } from "./terminal.ts";

interface MergeFlags {
  readonly model: string;
  readonly adapter?: string;
  readonly outputDir: string;
}

/** What is said of words that are none of this command's. */
export const MERGE_ELSEWHERE: Elsewhere = { word: modelOr((word) => `give a model with --model ${shellPath(word)}`) };

export function mergeCommand(interrupt: Interrupt): Command {
  return new Command("merge")
    .description(
      "Add the corrections of a PEFT directory (LoRA) to the model that they are of, and save it as a whole model.",
    )
    .requiredOption("--model <source>", `${MODEL_HELP}; or a PEFT directory that names its model`)
    .option("--adapter <directory>", "a PEFT directory, or a run that trained LoRA")
    .requiredOption("--output-dir <directory>", "where to save; must be empty, or not there yet")
    .action((flags: MergeFlags) => merge(flags, interrupt));
}

async function merge({ model: named, adapter, outputDir }: MergeFlags, interrupt: Interrupt): Promise<void> {
  const source = await modelOfRun(typedPath(named), terminal.warn);
  const empty = existsSync(outputDir) && isEmptyDirectory(outputDir);
  if (existsSync(outputDir) && !empty) userError(`${outputDir}: exists already; choose another --output-dir`, "usage");
  checkWritable(dirname(resolve(outputDir)));
  if (adapter === undefined) requireCorrections(source);
  interrupt.watch();
  const { signal } = interrupt;
  const model = await openModel(source, { adapter, signal });
  try {
    // Nothing is computed here, so that no device is needed.
    const [runtime, layout] = [createCpuRuntime({ signal }), layoutParameters(model.config)];
    await model.load(runtime, layout);
    // A whole directory is renamed to it.
    if (empty) rmdirSync(outputDir);
    await saveModel(runtime, layout, model, nodeFolder(dirname(resolve(outputDir))), basename(resolve(outputDir)));
  } finally {
    await model.close();
  }
  terminal.result(`saved in ${pc.bold(printable(outputDir))}`);
}

/** Throws `UserError` where a model that is named without --adapter has no corrections of its own. */
function requireCorrections(source: string): void {
  if (adapterFolder(source) !== undefined) return;
  if (existsSync(source)) userError(`${source}: is no PEFT directory; give one with --adapter`);
  requireModelName(source);
  userError(`${source}: is no directory here; corrections (LoRA) to a model of the hub are given with --adapter`);
}
