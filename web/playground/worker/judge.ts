/** What a person would ask of a sample: did it end, is it new, is it an address where the data are addresses. */
import type { TrainPlan } from "../../../src/run/plan.ts";
import { areAddresses } from "../../../src/run/sample.ts";
import { isWellFormedAddress } from "../../../src/text/address.ts";
import type { SampleEntry } from "../../../src/train/events.ts";
import type { Judged } from "../protocol.ts";

export type Judge = (samples: SampleEntry["samples"]) => Judged[];

export function judgeOf(plan: Pick<TrainPlan, "data" | "tokenizer">): Judge {
  const { has } = plan.data;
  const addresses = areAddresses(plan);
  return (samples) =>
    samples.map(({ prompt, text, ended }) => ({
      prompt,
      text,
      ended,
      ...(has ? { fresh: !has(prompt + text) } : {}),
      ...(addresses ? { wellFormed: ended && isWellFormedAddress(prompt + text) } : {}),
    }));
}
