import type { TrainPlan } from "../../run/plan.ts";
import { isWellFormedAddress } from "../../text/address.ts";
import type { SampleEntry } from "../../train/events.ts";
import { formatPassages, formatSamples } from "../samples.ts";
import { terminal } from "../terminal.ts";

/** Records that are looked at to find out of what kind they are. */
const RECORDS_LOOKED_AT = 200;

/** Prints samples as befits the data: judged line by line, or as passages. */
export function printSamples({ samples, step }: SampleEntry, plan: TrainPlan): void {
  terminal.event({ kind: "samples", time: new Date().toISOString(), step, samples });
  const stream = plan.data.train.kind === "stream";
  const judge = { has: plan.data.has, addresses: areAddresses(plan), columns: terminal.columns };
  terminal.say({ verbatim: `\n${stream ? formatPassages(samples) : formatSamples(samples, judge)}` });
}

function areAddresses({ data, tokenizer }: TrainPlan): boolean {
  if (data.train.kind !== "records") return false;
  const { sequences } = data.train;
  const looked = Array.from({ length: Math.min(RECORDS_LOOKED_AT, sequences.count) }, (_, i) => sequences.read(i));
  return looked.every(({ ids }) =>
    isWellFormedAddress(tokenizer.decode(Array.from(ids).slice(tokenizer.startIds.length, -1))),
  );
}
