import type { TrainPlan } from "../../run/plan.ts";
import { areAddresses } from "../../run/sample.ts";
import type { SampleEntry } from "../../train/events.ts";
import { formatPassages, formatSamples } from "../samples.ts";
import { terminal } from "../terminal.ts";

/** Prints samples as befits the data: judged line by line, or as passages. */
export function printSamples({ samples, step }: SampleEntry, plan: TrainPlan): void {
  terminal.event({ kind: "samples", time: new Date().toISOString(), step, samples });
  const stream = plan.data.train.kind === "stream";
  const judge = { has: plan.data.has, addresses: areAddresses(plan), columns: terminal.columns };
  terminal.say({ verbatim: `\n${stream ? formatPassages(samples) : formatSamples(samples, judge)}` });
}
