import { dirname, join } from "node:path";
import pc from "picocolors";
import { REPORT_FILE } from "../../run/files.ts";
import type { TrainPlan } from "../../run/plan.ts";
import { areAddresses } from "../../run/sample.ts";
import type { NoticeEntry, RunListener, RunPhase } from "../../train/events.ts";
import type { Team } from "../../train/team.ts";
import type { Interrupt } from "../interrupt.ts";
import { decimals, duration } from "../numbers.ts";
import { createPace } from "../progress.ts";
import { formatPassages, formatSamples } from "../samples.ts";
import { type Bar, printable, terminal } from "../terminal.ts";
import { describeMemory, describePlan, describeRanks, formatLog } from "./print.ts";

/** Notices of what the terminal is told by other words. */
const SAID_ANYWAY: readonly NoticeEntry["kind"][] = ["device-lost", "resumed", "interrupted", "time-limit"];

export interface TerminalListener extends RunListener {
  /** Takes the progress bar away. */
  stop(): void;
}

/** What a signal does from then on; before the first step it ends the run, and the command says why. */
const ON_SIGNAL: Readonly<Partial<Record<RunPhase, string>>> = {
  training: "stopping after this step and saving; once more stops at once",
  end: "saving the model, and leaving out the rest; once more stops at once",
};

/** What a person sees of a run, and hears of a signal. */
export function createTerminalListener(
  plan: TrainPlan,
  { team, interrupt }: { readonly team: Team; readonly interrupt: Pick<Interrupt, "watch"> },
): TerminalListener {
  const { maxSteps } = plan.options;
  const pace = createPace(maxSteps);
  let bar: Bar | undefined;
  let seconds = 0;
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    opened(adapter) {
      for (const line of describePlan(plan, adapter)) terminal.say(line);
      if (team.size > 1) terminal.say(describeRanks(team, plan));
    },
    prepared(entry) {
      terminal.say(describeMemory(entry));
    },
    started() {
      const count = (done: number): string => `${done}/${maxSteps}`;
      bar = terminal.bar({ total: maxSteps, count, note: [{ text: "compiling", rank: 1 }] });
    },
    entered(phase) {
      stop();
      const does = ON_SIGNAL[phase];
      interrupt.watch(does === undefined ? undefined : (by) => terminal.warn(`${by}: ${does}`));
    },
    stepped({ step, loss }) {
      pace.add(step, performance.now() / 1000);
      bar?.update(step, [
        { text: `${pace.remaining()} left`, rank: 1 },
        { text: `loss ${loss.toFixed(4)}`, rank: 2 },
      ]);
    },
    logged(entry) {
      terminal.say(formatLog(entry, maxSteps, terminal.columns === undefined ? pace.remaining() : undefined));
    },
    evaluated(entry) {
      terminal.say([
        `step ${entry.step}`,
        `eval_loss ${entry.eval_loss.toFixed(4)}`,
        { text: `perplexity ${decimals(entry.eval_perplexity, 2)}`, rank: 2 },
        ...(entry.best ? [{ text: pc.green("best so far"), rank: 1 }] : []),
      ]);
    },
    noticed({ kind, message }) {
      if (!SAID_ANYWAY.includes(kind)) terminal.warn(message);
    },
    ended({ train_runtime }) {
      seconds = train_runtime;
    },
    bestLoaded(step) {
      terminal.say(`the model is that of step ${step}, the best one`);
    },
    modelSaved({ path }) {
      const shown = printable(join(dirname(path), REPORT_FILE));
      terminal.result(`trained in ${duration(seconds)}, saved in ${pc.bold(printable(path))}; ${shown} shows it`);
    },
    completed({ samples }) {
      const stream = plan.data.train.kind === "stream";
      const judge = { has: plan.data.has, addresses: areAddresses(plan), columns: terminal.columns };
      terminal.say({ verbatim: `\n${stream ? formatPassages(samples) : formatSamples(samples, judge)}` });
    },
    warned: terminal.warn,
    stop,
  };
}
