import { VERSION } from "../../core/version.ts";
import { writerOf } from "../../node/writer.ts";
import type { TrainSettings } from "../../run/settings/table.ts";
import { followRun, type RunOptions, type RunResult, trainRun } from "../../run/train-run.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { RunListener, RunPhase } from "../../train/events.ts";
import { STOPPED_CODE } from "../exit-codes.ts";
import { createInterrupt, type Interrupt } from "../interrupt.ts";
import { lossChart } from "../loss-chart.ts";
import { memoryBudget } from "../memory.ts";
import { homeOf, readRunDirectory } from "../run-home.ts";
import { openRuntime, type RuntimeOptions } from "../runtime.ts";
import { printable, terminal } from "../terminal.ts";
import { createTerminalListener } from "./listener.ts";
import { openPlan } from "./plan.ts";
import type { TrainOptions } from "./settings.ts";

/**
 * Trains as the settings say, in a new run's directory or in that of a run that is gone on with. A signal before the first step
 * rejects with `Interrupted`; one that comes later ends the run in order.
 */
export async function runTraining(
  settings: TrainSettings,
  options: TrainOptions,
  interrupt: Interrupt = createInterrupt(),
): Promise<void> {
  let phase: RunPhase = "preparation";
  interrupt.watch((by) => {
    if (phase === "training") terminal.warn(`${by}: stopping after this step and saving; once more stops at once`);
    if (phase === "end") terminal.warn(`${by}: saving the model, and leaving out the rest; once more stops at once`);
  });
  const { resume, team } = options;
  const { plan, close } = await openPlan(settings, { resume, signal: interrupt.signal, team });
  try {
    const follow: RunListener = {
      entered(next) {
        phase = next;
      },
    };
    const common = {
      team,
      openRuntime: (wanted: RuntimeOptions) => openRuntime(options.device, wanted),
      signal: interrupt.signal,
      deadline: options.deadline,
      mayBeFinished: options.mayBeFinished ?? false,
      tune: options.tune,
      budget: (runtime: Runtime) => memoryBudget(runtime, options.memory),
    };
    const reason =
      team && team.rank > 0 ? await followRun(plan, { ...common, listeners: [follow] }) : await lead(common);
    if (interrupt.requested) process.exitCode = interrupt.exitCode;
    else if (reason === "interrupted") process.exitCode = STOPPED_CODE;

    async function lead(common: Omit<RunOptions, "home">): Promise<RunResult["reason"]> {
      const home = homeOf(options, plan.settings.data?.[0], interrupt);
      const watcher = createTerminalListener(plan, team);
      try {
        const listeners = [follow, watcher];
        const result = await trainRun(plan, { ...common, home, listeners, version: VERSION, writer: writerOf });
        await tellResult(result, interrupt.requested);
        return result.reason;
      } finally {
        watcher.stop();
      }
    }
  } finally {
    await close();
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
    terminal.say({ verbatim: `more: gpt2 generate --model ${shellWord(model)} --num-return-sequences 20` });
}

function describeStop({
  summary: { step },
  reason,
  saved,
  folder: { path },
}: Exclude<RunResult, { reason: "already-finished" }>): string {
  const how = `go on with: gpt2 train --resume ${shellWord(path)}`;
  const why = reason === "time-limit" ? "--max-hours are over: stopped" : "stopped";
  if (saved === step) return `${why} after step ${step}; ${how}`;
  const from = saved === undefined ? "from the first step" : `from step ${saved}`;
  return step === 0
    ? `${why} before the first step; ${how}`
    : `${why} after step ${step}, which is not saved; ${how}, ${from}`;
}

/** A path as a shell takes it, since the line is there to be copied. */
function shellWord(path: string): string {
  const text = printable(path);
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
