import { beforeAll, describe, expect, test } from "vitest";
import { bundle, hasChromium, runInChromium } from "../support/chromium.ts";
import { CASES } from "./conformance.ts";

/** Each fault takes a dozen changes of the folder: all of them with GPT2_LONG_TESTS=1. */
const EVERY = process.env.GPT2_LONG_TESTS === "1" ? 1 : 4;

interface Answers {
  readonly conformance: Readonly<Record<string, string>>;
  readonly faults: object;
  readonly damage: unknown[];
  readonly commit: string;
  readonly reopen: { found: object; left: string[]; after: object };
  readonly page: object;
}

describe.runIf(hasChromium)("a folder of a browser's private files, written by a worker without createWritable", () => {
  let answers: Answers;
  beforeAll(async () => {
    answers = JSON.parse(await runInChromium(`const EVERY = ${EVERY};\n${await bundle("storage/opfs-page.ts")}`));
  }, 600_000);

  test.each(CASES)("$name", ({ name }) => {
    expect(answers.conformance).not.toHaveProperty("failed");
    expect(answers.conformance[name]).toBeUndefined();
  });

  test("a worker that is ended, or refused, at any call of the browser leaves everything old or new", () => {
    const many = expect.toSatisfy((faults: number) => faults > 150 / EVERY);
    expect(answers.faults).toEqual({ killed: many, refused: many, half: expect.toSatisfy((faults) => faults > 10) });
  });

  test("a worker that is terminated in the middle of a commit leaves the old state, and its lock to the next", () => {
    expect(answers.commit).toBe("halfway");
    expect(answers.reopen).toEqual({
      found: { "checkpoint-1": { weights: "111" }, "run.json": "one" },
      left: [expect.stringMatching(/^checkpoint-2~[0-9a-f]{16}$/)],
      after: { "checkpoint-1": { weights: "111" }, "checkpoint-2": { weights: "22" }, "run.json": "one" },
    });
  });

  test("of an index one damaged copy is passed over, both are told; what others keep there is theirs", () => {
    const damaged = expect.stringMatching(/^kept.*: both copies of the list of what is in it are damaged/);
    expect(answers.damage).toEqual([{ a: "1" }, damaged, damaged, damaged, [], []]);
  });

  test("a page reads what its worker writes, and is told that only workers write", () => {
    expect(answers.page).toEqual({
      text: "one",
      writing: expect.stringMatching(/run\/a: files are written by dedicated workers only/),
      exists: false,
      free: true,
    });
  });
});
