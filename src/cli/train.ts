import { Command, Option } from "commander";
import { writerOf } from "../node/writer.ts";
import { calledAs } from "../platform/node/called.ts";
import { launchedAs } from "../platform/node/launched.ts";
import type { TrainPlan } from "../run/plan.ts";
import { settingElsewhere } from "../run/settings/elsewhere.ts";
import { PRESET_NAMES } from "../run/settings/presets.ts";
import { flagName } from "../run/settings/table.ts";
import { followRun, type RunResult, trainRun } from "../run/train-run.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { ALONE_TEAM } from "../train/alone.ts";
import type { Team } from "../train/team.ts";
import { collectiveTimeoutOption } from "./collective-timeout.ts";
import { STOPPED_CODE } from "./exit-codes.ts";
import { type Elsewhere, isOn } from "./flags.ts";
import type { Interrupt } from "./interrupt.ts";
import { lossChart } from "./loss-chart.ts";
import { memoryBudget, memoryOption } from "./memory.ts";
import { numberBetween } from "./numbers.ts";
import { homeOf, readRunDirectory } from "./run-home.ts";
import { DEVICE_HELP, openRuntime, type RuntimeOptions } from "./runtime.ts";
import { addSettings } from "./settings/options.ts";
import { quietOption, terminal } from "./terminal.ts";
import { dryRun } from "./train/dry-run.ts";
import { jsonListener } from "./train/json.ts";
import { createTerminalListener } from "./train/listener.ts";
import { openTyped } from "./train/plan.ts";
import { describeStop, shownPath } from "./train/print.ts";
import type { TrainFlags, TrainOptions } from "./train/settings.ts";
import { tuneOption } from "./tune.ts";

/** What is said of words that are none of this command's. */
export const TRAIN_ELSEWHERE: Elsewhere = { flag: (name, value) => settingElsewhere(name, value, flagName) };

/** What standard output is for where a mistake in the words ends the command before it begins. */
export async function beginTrain(words: readonly string[]): Promise<void> {
  if (launchedAs()) (await import("./ranks.ts")).beginRank();
  terminal.begin({ events: isOn(words, "--json") });
}

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
    inRanks(flags.collectiveTimeout, async (team) => {
      const { json = false, quiet = false } = flags;
      terminal.begin({ words: "stdout", events: json, quiet, lost: "ignore" });
      interrupt.watch();
      const { plan, options, close } = await openTyped(files, flags, { team, signal: interrupt.signal });
      try {
        if (flags.dryRun) await dryRun(plan, options, interrupt);
        else await runTraining(plan, options, { team, interrupt });
      } finally {
        await close();
      }
    }),
  );
}

/** Does the work by itself, or as one of the ranks that were started with this process. */
async function inRanks(timeout: number | undefined, work: (team: Team) => Promise<void>): Promise<void> {
  if (!launchedAs()) return work(ALONE_TEAM);
  return (await import("./ranks.ts")).withRanks(timeout, work);
}

/**
 * Trains as planned, in a new run's directory or in that of a run that is gone on with. A signal before the first step
 * rejects with `Interrupted`; one that comes later ends the run in order.
 */
export async function runTraining(
  plan: TrainPlan,
  options: TrainOptions,
  { team, interrupt }: { readonly team: Team; readonly interrupt: Interrupt },
): Promise<void> {
  const words = createTerminalListener(plan, { team, interrupt });
  try {
    const common = {
      team,
      openRuntime: (wanted: RuntimeOptions) => openRuntime(options.device, wanted),
      signal: interrupt.signal,
      deadline: options.deadline,
      mayBeFinished: options.mayBeFinished ?? false,
      tune: options.tune,
      budget: (runtime: Runtime) => memoryBudget(runtime, options.memory),
    };
    let reason: RunResult["reason"];
    if (team.rank > 0) reason = await followRun(plan, common);
    else {
      const home = homeOf(options, plan.settings.data?.[0], interrupt);
      const listeners = [jsonListener(), words];
      const result = await trainRun(plan, { ...common, home, listeners, writer: writerOf });
      await tellResult(result, interrupt.requested);
      reason = result.reason;
    }
    if (interrupt.requested) process.exitCode = interrupt.exitCode;
    else if (reason === "interrupted") process.exitCode = STOPPED_CODE;
  } finally {
    words.stop();
  }
}

async function tellResult(result: RunResult, interrupted: boolean): Promise<void> {
  if (result.reason === "already-finished") return terminal.result(result.why);
  const { folder, model } = result;
  if (model === undefined) return terminal.result({ verbatim: describeStop(result) });
  const { columns } = terminal;
  const chart = columns !== undefined && lossChart((await readRunDirectory(folder.path)).history, columns);
  if (chart) terminal.say({ verbatim: chart });
  if (!interrupted)
    terminal.say({ verbatim: `more: ${calledAs()} generate --model ${shownPath(model)} --num-return-sequences 20` });
}
