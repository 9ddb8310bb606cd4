import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The test files that take longest, longest first, by the processor's time without anything cached: the last one to be begun
 * must be a short one, or a core idles at the end. All others take some seconds at most.
 */
const LONGEST: readonly string[] = [
  "kernels/attention",
  "kernels/matmul",
  "playground/keep.browser",
  "playground/firefox.browser",
  "playground/hostile.browser",
  "cli/commands",
  "witness/witness",
  "bench/static",
  "library",
  "playground/page.browser",
  "cli/train/nanogpt",
  "runtime/limits",
  "run/anywhere.browser",
  "cli/ranks",
  "cli/kill-resume",
  "support/adversary/adversary",
  "playground/models.browser",
  "playground/inside.browser",
  "cli/train/memory",
  "cli/generate",
  "kernels/sample-token",
  "browser/train.browser",
  "cli/terminal",
  "cli/train/train",
  "runtime/closing",
  "examples/programs",
  "cli/lora",
  "storage/opfs.browser",
  "large-arrays",
  "verify/verify",
  "cli/screen",
  "platform/node",
  "cli/devices",
  "text/gpt2",
  "kernels/long-sums",
  "kernels/attention/matrices",
  "kernels/matmul/matrices",
  "train/arena",
  "cli/save-faults",
  "train/device-loss",
  "verify/generation",
  "bench/bench",
  "train/ranks",
  "run/ranks",
  "browser/report.browser",
];

/** What measures how soon something answers: begun when nothing else is left to begin. */
const LAST = "playground/latency.browser";

/** Vitest's own order, which goes by earlier runs and else by the files' sizes, but with the longest first. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const is = (path: string): boolean => moduleId.endsWith(`/test/${path}.test.ts`);
      if (is(LAST)) return LONGEST.length + 1;
      const at = LONGEST.findIndex(is);
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
