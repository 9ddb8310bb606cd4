import { Command, Option } from "commander";
import { settingElsewhere } from "../run/settings/elsewhere.ts";
import { PRESET_NAMES } from "../run/settings/presets.ts";
import { flagName } from "../run/settings/table.ts";
import type { Elsewhere } from "./flags.ts";
import type { Interrupt } from "./interrupt.ts";
import { memoryOption } from "./memory.ts";
import { numberBetween } from "./numbers.ts";
import { collectiveTimeoutOption, withRanks } from "./ranks.ts";
import { DEVICE_HELP } from "./runtime.ts";
import { addSettings } from "./settings/options.ts";
import { quietOption, terminal } from "./terminal.ts";
import { dryRun } from "./train/dry-run.ts";
import { runTraining } from "./train/run.ts";
import { settingsOfCommandLine, type TrainFlags } from "./train/settings.ts";
import { tuneOption } from "./tune.ts";

/** What is said of words that are none of this command's. */
export const TRAIN_ELSEWHERE: Elsewhere = { flag: (name, value) => settingElsewhere(name, value, flagName) };

export function trainCommand(interrupt: Interrupt): Command {
  const command = new Command("train")
    .description(
      "Train a GPT-2 on records or on one long text, from scratch or from a model; save it, and sample it. Options have " +
        "the names of transformers' TrainingArguments. See docs/training.md.",
    )
    .argument("[files...]", "the same as --data")
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
    .addOption(tuneOption())
    .addOption(collectiveTimeoutOption())
    .option("--json", "print one JSON object an event on standard output, and words on standard error")
    .addOption(quietOption());
  return addSettings(command).action((files: string[], flags: TrainFlags) =>
    withRanks(flags.collectiveTimeout, async (team) => {
      const { json = false, quiet = false } = flags;
      terminal.begin({ words: "stdout", events: json, quiet, lost: "ignore" });
      // The first rank reads what there is to read of a run, and says where to begin.
      const begin = () => settingsOfCommandLine(files, flags, team?.size ?? 1);
      const { settings, options } = team ? await team.lead(begin) : begin();
      if (flags.dryRun) await dryRun(settings, options, interrupt);
      else await runTraining(settings, { ...options, team }, interrupt);
    }),
  );
}
