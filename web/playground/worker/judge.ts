/** What a person would ask of a sample: did it end, is it new, is it an address where the data are addresses. */
import type { TrainPlan } from "../../../src/run/plan.ts";
import { isWellFormedAddress } from "../../../src/text/address.ts";
import type { SampleEntry } from "../../../src/train/events.ts";
import type { Judged } from "../protocol.ts";

/** Records that are looked at to find out of what kind they are. */
const RECORDS_LOOKED_AT = 200;

export type Judge = (samples: SampleEntry["samples"]) => Judged[];

export function judgeOf({ data, tokenizer }: Pick<TrainPlan, "data" | "tokenizer">): Judge {
  const { train, has } = data;
  const addresses = train.kind === "records" && areAddresses(train.sequences, tokenizer);
  return (samples) =>
    samples.map(({ prompt, text, ended }) => ({
      prompt,
      text,
      ended,
      ...(has ? { fresh: !has(prompt + text) } : {}),
      ...(addresses ? { wellFormed: ended && isWellFormedAddress(prompt + text) } : {}),
    }));
}

function areAddresses(
  sequences: Extract<TrainPlan["data"]["train"], { kind: "records" }>["sequences"],
  tokenizer: TrainPlan["tokenizer"],
): boolean {
  const looked = Array.from({ length: Math.min(RECORDS_LOOKED_AT, sequences.count) }, (_, i) => sequences.read(i));
  return looked.every(({ ids }) =>
    isWellFormedAddress(tokenizer.decode(Array.from(ids).slice(tokenizer.startIds.length, -1))),
  );
}
