import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import pc from "picocolors";
import { userError } from "../core/errors.ts";
import { typedPath } from "../platform/node/paths.ts";
import { readText } from "./files.ts";
import type { Elsewhere } from "./flags.ts";
import { memoryOption } from "./memory.ts";
import { checkRunDirectory } from "./run-directory.ts";
import { RUN_FILE } from "./run-files.ts";
import { modelOfRun } from "./run-model.ts";
import { DEVICE_HELP } from "./runtime.ts";
import { settingElsewhere } from "./settings/elsewhere.ts";
import { parseSettings } from "./settings/file.ts";
import { idleSettings } from "./settings/idle.ts";
import { addSettings, typedSettings } from "./settings/options.ts";
import { withFoundPaths } from "./settings/paths.ts";
import { PRESET_NAMES } from "./settings/presets.ts";
import { resolveSettings } from "./settings/resolve.ts";
import { flagName, type TrainSettings } from "./settings/table.ts";
import { dryRun } from "./train/dry-run.ts";
import { type RunOptions, runTraining } from "./train/run.ts";
import { tuneOption } from "./tune.ts";

interface TrainFlags extends Readonly<Record<string, unknown>> {
  readonly preset?: string;
  readonly config?: string;
  readonly resume?: string;
  readonly outputDir?: string;
  readonly device?: string;
  readonly memory?: number;
  readonly dryRun?: boolean;
  readonly tune?: boolean;
}

/** What is said of words that are none of this command's. */
export const TRAIN_ELSEWHERE: Elsewhere = { flag: (name, value) => settingElsewhere(name, value, flagName) };

export function trainCommand(): Command {
  const command = new Command("train")
    .description(
      "Train a GPT-2 on records or on one long text, from scratch or from a model; save it, and sample it. Options have " +
        "the names of transformers' TrainingArguments. See docs/training.md.",
    )
    .argument("[files...]", "the same as --data")
    .addOption(new Option("--preset <name>", "a set of defaults").choices(PRESET_NAMES))
    .option("--config <file>", "settings in JSON, by their names with underscores; a run.json will do")
    .option("--resume <run>", "go on with a run from its newest good checkpoint, with its own settings")
    .option("--output-dir <directory>", "where to save; default: a new directory in runs/")
    .option("--dry-run", "say what would be done, how much memory and time it takes, and write nothing")
    .option("--device <name>", DEVICE_HELP)
    .addOption(memoryOption())
    .addOption(tuneOption());
  return addSettings(command).action(async (files: string[], flags: TrainFlags) => {
    const { device, outputDir, resume, memory } = flags;
    const { settings: resolved, said } = settingsOf(files, flags);
    for (const line of idleSettings(resolved, said)) console.log(pc.yellow(line));
    if (flags.tune && flags.dryRun) console.log(pc.yellow("--tune does nothing with --dry-run, which keeps nothing"));
    const settings = await withModel(resolved);
    if (resume === undefined) checkRunDirectory(outputDir, { dry: flags.dryRun === true });
    const options: RunOptions = { device, outputDir, resume, memory, tune: flags.tune ?? false };
    if (flags.dryRun) await dryRun(settings, options);
    else await runTraining(settings, options);
  });
}

/** The settings of the run, and what a person said of them now. */
function settingsOf(
  files: readonly string[],
  { preset, config, resume, outputDir, tune, ...flags }: TrainFlags,
): { settings: TrainSettings; said: Partial<TrainSettings> } {
  const typed = withFiles(typedSettings(flags), files);
  if (resume === undefined) {
    const file = config ? readSettings(config) : {};
    return { settings: resolveSettings({ preset, file, typed }), said: { ...file, ...typed } };
  }
  for (const [name, value] of Object.entries({ preset, config, tune, "output-dir": outputDir })) {
    if (value !== undefined) userError(`train: --resume goes on as its run began; leave out --${name}`);
  }
  if (files.length > 0)
    userError(`${files[0]}: a run goes on with its own data; leave this out, or say what it is with --data`);
  if (!statSync(resume, { throwIfNoEntry: false })?.isDirectory())
    userError(`${resume}: is no directory; wanted that of a run, such as runs/emails-1`);
  const file = join(resume, RUN_FILE);
  if (!existsSync(file)) userError(`${resume}: has no ${RUN_FILE}; is it the directory of a run?`);
  const { data, evalData, model, ...recorded } = readSettings(file);
  // What is said anew need not be where it was.
  const paths = { data: typed.data ? undefined : data, evalData: typed.evalData ? undefined : evalData, model };
  const found = withFoundPaths(paths, resume, (line) => console.log(pc.yellow(line)));
  return { settings: resolveSettings({ file: { ...recorded, ...found }, typed }), said: typed };
}

/** Of a run that is not done, the checkpoint that is its newest now: later there may be others. */
async function withModel(settings: TrainSettings): Promise<TrainSettings> {
  const { model } = settings;
  return model === undefined
    ? settings
    : { ...settings, model: await modelOfRun(typedPath(model), (line) => console.log(pc.yellow(line))) };
}

/** Files without a flag are data. */
function withFiles(typed: Partial<TrainSettings>, files: readonly string[]): Partial<TrainSettings> {
  return files.length === 0
    ? typed
    : { ...typed, data: [...files.map((file) => typedPath(file)), ...(typed.data ?? [])] };
}

function readSettings(path: string): Partial<TrainSettings> {
  return parseSettings(readText(path), path);
}
