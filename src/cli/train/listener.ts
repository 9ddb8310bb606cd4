import { dirname, join } from "node:path";
import pc from "picocolors";
import { lineListener } from "../../report/lines.ts";
import { REPORT_FILE } from "../../run/files.ts";
import type { TrainPlan } from "../../run/plan.ts";
import type { NoticeEntry, RunListener } from "../../train/events.ts";
import type { Team } from "../../train/team.ts";
import { duration } from "../numbers.ts";
import { createPace } from "../progress.ts";
import { type Bar, printable, terminal } from "../terminal.ts";
import { planEvent } from "./json.ts";
import { describeMemory, describePlan, describeRanks, formatLog } from "./print.ts";
import { printSamples } from "./print-samples.ts";

/** Notices of what the terminal is told by other words. */
const SAID_ANYWAY: readonly NoticeEntry["kind"][] = ["device-lost", "resumed", "interrupted", "time-limit"];

export interface TerminalListener extends RunListener {
  /** Takes the progress bar away. */
  stop(): void;
}

/** What a person, or a program that reads `--json`, sees of a run. `team`: where several ranks train it. */
export function createTerminalListener(plan: TrainPlan, team?: Team): TerminalListener {
  const { maxSteps } = plan.options;
  const pace = createPace(maxSteps);
  let bar: Bar | undefined;
  let directory: string | undefined;
  let seconds = 0;
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  const events = lineListener((line, description) => {
    if (line.kind === "start") terminal.event(planEvent(description, directory));
    else if (line.kind === "end") {
      const { kind, time, ...summary } = line;
      terminal.ending(summary);
    } else terminal.event(line);
  });
  return {
    opened(adapter) {
      for (const line of describePlan(plan, adapter)) terminal.say(line);
      if (team) terminal.say(describeRanks(team, plan));
    },
    prepared(entry) {
      directory = entry.path;
      terminal.say(describeMemory(entry));
    },
    started(description) {
      const count = (done: number): string => `${done}/${maxSteps}`;
      bar = terminal.bar({ total: maxSteps, count, note: [{ text: "compiling", rank: 1 }] });
      return events.started(description);
    },
    entered: stop,
    stepped({ step, loss }) {
      pace.add(step, performance.now() / 1000);
      bar?.update(step, [
        { text: `${pace.remaining()} left`, rank: 1 },
        { text: `loss ${loss.toFixed(4)}`, rank: 2 },
      ]);
    },
    async logged(entry) {
      await events.logged(entry);
      terminal.say(formatLog(entry, maxSteps, terminal.columns === undefined ? pace.remaining() : undefined));
    },
    async evaluated(entry) {
      await events.evaluated(entry);
      terminal.say([
        `step ${entry.step}`,
        `eval_loss ${entry.eval_loss.toFixed(4)}`,
        { text: `perplexity ${entry.eval_perplexity.toFixed(2)}`, rank: 2 },
        ...(entry.best ? [{ text: pc.green("best so far"), rank: 1 }] : []),
      ]);
    },
    sampled: events.sampled,
    async noticed(entry) {
      if (!SAID_ANYWAY.includes(entry.kind)) terminal.warn(entry.message);
      await events.noticed(entry);
    },
    checkpointSaved({ step, path }) {
      terminal.event({ kind: "checkpoint", time: new Date().toISOString(), step, path });
    },
    async ended(summary) {
      seconds = summary.train_runtime;
      await events.ended(summary);
    },
    bestLoaded(step) {
      terminal.say(`the model is that of step ${step}, the best one`);
    },
    modelSaved({ path }) {
      terminal.ending({ model: path });
      const shown = printable(join(dirname(path), REPORT_FILE));
      terminal.result(`trained in ${duration(seconds)}, saved in ${pc.bold(printable(path))}; ${shown} shows it`);
    },
    completed(entry) {
      printSamples(entry, plan);
    },
    warned: terminal.warn,
    stop,
  };
}
