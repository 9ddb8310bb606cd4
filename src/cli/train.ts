import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { userError } from "../core/errors.ts";
import { readText } from "./files.ts";
import type { Interrupt } from "./interrupt.ts";
import { memoryOption } from "./memory.ts";
import { numberBetween } from "./numbers.ts";
import { REPORT_FILE } from "./report-page.ts";
import { LOCK_FILE, METRICS_FILE, RUN_FILE, TENSORBOARD_FOLDER } from "./run-files.ts";
import { DEVICE_HELP } from "./runtime.ts";
import { parseSettings } from "./settings/file.ts";
import { addSettings, typedSettings } from "./settings/options.ts";
import { PRESET_NAMES } from "./settings/presets.ts";
import { resolveSettings } from "./settings/resolve.ts";
import type { TrainSettings } from "./settings/table.ts";
import { dryRun } from "./train/dry-run.ts";
import { isRun } from "./train/going-on.ts";
import { type RunOptions, runTraining } from "./train/run.ts";
import { tuneOption } from "./tune.ts";

interface TrainFlags extends Readonly<Record<string, unknown>> {
  readonly preset?: string;
  readonly config?: string;
  readonly resume?: string | undefined;
  readonly outputDir?: string;
  readonly device?: string;
  readonly memory?: number;
  readonly dryRun?: boolean;
  readonly tune?: boolean;
  readonly resumeIfExists?: boolean;
  readonly maxHours?: number;
}

export function trainCommand(interrupt: Interrupt): Command {
  const command = new Command("train")
    .description(
      "Train a GPT-2 on records or on one long text, from scratch or from a model; save it, and sample it. Options have " +
        "the names of transformers' TrainingArguments. See docs/training.md.",
    )
    .addOption(new Option("--preset <name>", "a set of defaults").choices(PRESET_NAMES))
    .option("--config <file>", "settings in JSON, by their names with underscores; a run.json will do")
    .option("--resume <run>", "go on with a run from its newest good checkpoint, with its own settings")
    .option(
      "--resume-if-exists",
      "go on with the run of --output-dir, or begin it there; of a finished one, say so and exit 0",
    )
    .option("--output-dir <directory>", "where to save; default: a new directory in runs/")
    .addOption(
      new Option("--max-hours <x>", "save and end, with exit code 0, after so many hours of this process").argParser(
        numberBetween(0, Number.POSITIVE_INFINITY),
      ),
    )
    .option("--dry-run", "say what would be done, how much memory and time it takes, and write nothing")
    .option("--device <name>", DEVICE_HELP)
    .addOption(memoryOption())
    .addOption(tuneOption());
  return addSettings(command).action(async (flags: TrainFlags) => {
    const { device, outputDir, resumeIfExists, memory, maxHours } = flags;
    if (resumeIfExists && outputDir === undefined)
      userError("train: --resume-if-exists looks for the run in --output-dir; give that, too", "usage");
    if (resumeIfExists && flags.resume !== undefined)
      userError("train: --resume and --resume-if-exists exclude each other; leave out one", "usage");
    const going = resumeIfExists && outputDir !== undefined && isRun(outputDir);
    const resume = going ? outputDir : flags.resume;
    const settings = settingsOf({ ...flags, resume }, going === true);
    if (
      outputDir !== undefined &&
      resume === undefined &&
      !(resumeIfExists ? isUnbegun(outputDir) : !existsSync(outputDir))
    )
      userError(
        `${outputDir}: exists already; choose another --output-dir, or go on with it: --resume ${outputDir}`,
        "usage",
      );
    const options: RunOptions = {
      device,
      outputDir,
      resume,
      mayBeFinished: going === true,
      memory,
      tune: flags.tune ?? false,
      deadline: maxHours === undefined ? undefined : maxHours * MS_PER_HOUR,
    };
    if (flags.dryRun) await dryRun(settings, options, interrupt);
    else await runTraining(settings, options, interrupt);
  });
}

const MS_PER_HOUR = 3_600_000;

/** `again`: the command line is that by which the run began. */
function settingsOf({ preset, config, resume, outputDir, tune, ...flags }: TrainFlags, again: boolean): TrainSettings {
  const typed = typedSettings(flags);
  if (resume === undefined) return resolveSettings({ preset, file: config ? readSettings(config) : {}, typed });
  for (const [name, value] of Object.entries({ preset, config, tune, "output-dir": outputDir })) {
    if (value !== undefined && !again)
      userError(`train: --resume goes on as its run began; leave out --${name}`, "usage");
  }
  if (!statSync(resume, { throwIfNoEntry: false })?.isDirectory())
    userError(`${resume}: is no directory; wanted that of a run, such as runs/emails-1`);
  const file = join(resume, RUN_FILE);
  if (!existsSync(file)) userError(`${resume}: has no ${RUN_FILE}; is it the directory of a run?`);
  return resolveSettings({ file: readSettings(file), typed });
}

/** Whether a run can begin in a directory: it is not there, or holds no more than one that was killed before its first step. */
function isUnbegun(directory: string): boolean {
  if (!existsSync(directory)) return true;
  if (!statSync(directory).isDirectory()) return false;
  const early = [LOCK_FILE, METRICS_FILE, REPORT_FILE, TENSORBOARD_FOLDER];
  return readdirSync(directory).every((name) =>
    early.some((known) => name === known || name.startsWith(`${known}.partial-`)),
  );
}

function readSettings(path: string): Partial<TrainSettings> {
  return parseSettings(readText(path), path);
}
