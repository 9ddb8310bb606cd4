import pc from "picocolors";
import { largest } from "../core/extremes.ts";
import { counted } from "../core/units.ts";
import { isWellFormedAddress } from "../text/address.ts";
import type { SampleEntry } from "../train/events.ts";
import { folded, printable, widthOf } from "./terminal.ts";

export interface JudgeOptions {
  /** Whether a text is one of the training data; undefined: nobody knows. */
  readonly has: ((text: string) => boolean) | undefined;
  /** Say of each sample whether it is a well-formed address. */
  readonly addresses: boolean;
  /** Of the window, where there is one. */
  readonly columns?: number | undefined;
}

/** Samples of records, a line each with what a person would ask of it, and a line that counts. */
export function formatSamples(samples: SampleEntry["samples"], { has, addresses, columns }: JudgeOptions): string {
  const judged = samples.map(({ prompt, text, ended }) => {
    const whole = prompt + text;
    return { whole, ended, wellFormed: ended && isWellFormedAddress(whole), novel: has ? !has(whole) : undefined };
  });
  const rows = judged.map(({ whole, ended, wellFormed, novel }) => {
    const marks = [
      ...(addresses ? [wellFormed ? pc.green("well-formed") : pc.red("malformed  ")] : []),
      ended ? "ended by itself" : pc.yellow("cut off        "),
      ...(novel === undefined ? [] : [novel ? "new" : "in the data"]),
    ];
    const lines = printable(whole).split("\n");
    const text = lines.at(-1)!;
    return { above: lines.slice(0, -1), text, width: widthOf(text), marks: marks.join("  ") };
  });
  const room = (columns ?? Number.POSITIVE_INFINITY) - largest(rows.map(({ marks }) => widthOf(marks))) - 4;
  // What has no room beside its marks stands above them.
  const widest = largest(rows.map(({ width }) => (width <= room ? width : 0)));
  const lines = rows.flatMap(({ above, text, width, marks }) => {
    const fits = width <= room;
    const [whole, beside] = fits ? [above, text] : [[...above, text], ""];
    const space = " ".repeat(fits ? widest - width : widest);
    return [...whole.map((line) => `  ${line}`), `  ${beside}${space}  ${marks}`];
  });
  const count = (test: (sample: (typeof judged)[number]) => boolean): number => judged.filter(test).length;
  const counts = [
    ...(addresses ? [`${count(({ wellFormed }) => wellFormed)} well-formed`] : []),
    endedOf(count(({ ended }) => ended)),
    ...(has ? [`${count(({ novel }) => novel === true)} not in the data`] : []),
  ];
  const total = `${counted(judged.length, "sample")}: ${counts.join(", ")}`;
  return [...lines, folded(total, columns ?? Number.POSITIVE_INFINITY)].join("\n");
}

function endedOf(count: number): string {
  return `${count} ended by ${count === 1 ? "itself" : "themselves"}`;
}

/** Samples of a model of one long text, which never end: each as it is, under a line. */
export function formatPassages(samples: SampleEntry["samples"]): string {
  return samples.map(({ prompt, text }) => `${pc.dim("---------------")}\n${printable(prompt + text)}`).join("\n");
}
