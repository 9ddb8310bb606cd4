import pc from "picocolors";
import { largest } from "../core/extremes.ts";
import { isWellFormedAddress } from "../text/address.ts";
import type { SampleEntry } from "../train/events.ts";

export interface JudgeOptions {
  /** Whether a text is one of the training data; undefined: nobody knows. */
  readonly has: ((text: string) => boolean) | undefined;
  /** Say of each sample whether it is a well-formed address. */
  readonly addresses: boolean;
}

/** Samples of records, a line each with what a person would ask of it, and a line that counts. */
export function formatSamples(samples: SampleEntry["samples"], { has, addresses }: JudgeOptions): string {
  const judged = samples.map(({ prompt, text, ended }) => {
    const whole = prompt + text;
    return { whole, ended, wellFormed: ended && isWellFormedAddress(whole), novel: has ? !has(whole) : undefined };
  });
  const width = largest(judged.map(({ whole }) => whole.length));
  const lines = judged.map(({ whole, ended, wellFormed, novel }) => {
    const marks = [
      ...(addresses ? [wellFormed ? pc.green("well-formed") : pc.red("malformed  ")] : []),
      ended ? "ended by itself" : pc.yellow("cut off        "),
      ...(novel === undefined ? [] : [novel ? "new" : "in the data"]),
    ];
    return `  ${whole.padEnd(width)}  ${marks.join("  ")}`;
  });
  const count = (test: (sample: (typeof judged)[number]) => boolean): number => judged.filter(test).length;
  const counts = [
    ...(addresses ? [`${count(({ wellFormed }) => wellFormed)} well-formed`] : []),
    `${count(({ ended }) => ended)} ended by themselves`,
    ...(has ? [`${count(({ novel }) => novel === true)} not in the data`] : []),
  ];
  return [...lines, `${judged.length} samples: ${counts.join(", ")}`].join("\n");
}

/** Samples of a model of one long text, which never end: each as it is, under a line. */
export function formatPassages(samples: SampleEntry["samples"]): string {
  return samples.map(({ prompt, text }) => `${pc.dim("---------------")}\n${prompt}${text}`).join("\n");
}
