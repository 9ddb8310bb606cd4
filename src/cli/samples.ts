import pc from "picocolors";
import type { Generated } from "../generate/generate.ts";
import { isWellFormedAddress } from "../text/address.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** A sample as a person judges it. */
export interface JudgedSample {
  readonly text: string;
  readonly stopped: Generated["stopped"];
  /** Ended by itself. */
  readonly ended: boolean;
  /** Looks like an e-mail address and ended by itself. */
  readonly wellFormed: boolean;
  /** Not a record of the training data. */
  readonly novel: boolean;
}

export function judgeSamples(
  samples: readonly Generated[],
  prompt: string,
  tokenizer: Tokenizer,
  known: ReadonlySet<string>,
): JudgedSample[] {
  return samples.map(({ ids, stopped }) => {
    const text = prompt + tokenizer.decode(ids);
    const ended = stopped === "end";
    return { text, stopped, ended, wellFormed: ended && isWellFormedAddress(text), novel: !known.has(text) };
  });
}

/** One line a sample, and a line that counts. `addresses`: say of each whether it is a well-formed address. */
export function formatSamples(samples: readonly JudgedSample[], addresses: boolean): string {
  const width = Math.max(...samples.map(({ text }) => text.length));
  const lines = samples.map(({ text, ended, wellFormed, novel }) => {
    const marks = [
      ...(addresses ? [wellFormed ? pc.green("well-formed") : pc.red("malformed  ")] : []),
      ended ? "ended by itself" : pc.yellow("cut off        "),
      novel ? "new" : "in the data",
    ];
    return `  ${text.padEnd(width)}  ${marks.join("  ")}`;
  });
  const count = (test: (sample: JudgedSample) => boolean): number => samples.filter(test).length;
  const counts = [
    ...(addresses ? [`${count((sample) => sample.wellFormed)} well-formed`] : []),
    `${count((sample) => sample.ended)} ended by themselves`,
    `${count((sample) => sample.novel)} not in the data`,
  ];
  return [...lines, `${samples.length} samples: ${counts.join(", ")}`].join("\n");
}
