import { isWellFormedAddress } from "../../text/address.ts";
import type { SampleEntry } from "../../train/events.ts";
import { formatPassages, formatSamples } from "../samples.ts";
import type { TrainPlan } from "./plan.ts";

/** Records that are looked at to find out of what kind they are. */
const RECORDS_LOOKED_AT = 200;

/** Prints samples as befits the data: judged line by line, or as passages. */
export function printSamples(samples: SampleEntry["samples"], plan: TrainPlan): void {
  if (plan.data.train.kind === "stream") console.log(`\n${formatPassages(samples)}`);
  else console.log(`\n${formatSamples(samples, { has: plan.data.has, addresses: areAddresses(plan) })}`);
}

function areAddresses({ data, tokenizer }: TrainPlan): boolean {
  if (data.train.kind !== "records") return false;
  const { sequences } = data.train;
  const looked = Array.from({ length: Math.min(RECORDS_LOOKED_AT, sequences.count) }, (_, i) => sequences.read(i));
  return looked.every(({ ids }) => isWellFormedAddress(tokenizer.decode(Array.from(ids).slice(1, -1))));
}
