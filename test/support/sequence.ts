import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The test files that take longest, longest first, by the processor's time without anything cached: the last one to be begun
 * must be a short one, or a core idles at the end. All others take some seconds at most.
 */
const LONGEST: readonly string[] = [
  "playground/keep",
  "playground/firefox",
  "playground/hostile",
  "kernels/matmul",
  "kernels/attention",
  "cli/commands",
  "runtime/limits",
  "playground/page",
  "playground/models",
  "kernels/matmul/matrices",
  "kernels/sample-token",
  "cli/train/nanogpt",
  "browser/train",
  "run/anywhere",
  "runtime/closing",
  "train/precision",
  "support/adversary/adversary",
  "library",
  "cli/generate",
  "cli/kill-resume",
  "cli/train/train",
  "cli/other-peoples-models",
  "runtime/tuner",
  "cli/lora",
  "cli/train/memory",
  "cli/screen",
  "cli/terminal",
  "readme",
  "train/arena",
  "storage/opfs",
  "examples/programs",
  "verify/verify",
  "verify/generation",
  "cli/save-faults",
  "browser/report",
  "bench/bench",
  "text/gpt2",
  "large-arrays",
];

/** Vitest's own order, which goes by earlier runs and else by the files' sizes, but with the longest first. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((path) => moduleId.endsWith(`/test/${path}.test.ts`));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
