import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { readFixture } from "../../src/verify/directory.ts";
import { passed } from "../../src/verify/fixture.ts";
import { readGenerationFixture, verifyGeneration } from "../../src/verify/generation.ts";
import { openTestRuntime, testDrivers } from "../support/drivers.ts";

const directory = fileURLToPath(new URL("../../../shared/parity/tiny/", import.meta.url));

function open() {
  const files = new Map(readdirSync(directory).map((name) => [name, new Uint8Array(readFileSync(directory + name))]));
  return { fixture: readFixture("tiny", files), requests: readGenerationFixture("tiny", files)! };
}

describe.runIf(existsSync(directory))("what transformers' generate() gave", () => {
  test.each(["CPU", ...testDrivers] as const)("%s gives the same ids, scores and distributions", async (adapter) => {
    const runtime = adapter === "CPU" ? createCpuRuntime() : await openTestRuntime(adapter);
    const { fixture, requests } = open();
    const checks = await verifyGeneration(runtime, fixture, requests);
    expect(checks.filter(({ name }) => name.startsWith("generate"))).toHaveLength(11);
    expect(checks.filter(({ name }) => name.startsWith("scores"))).toHaveLength(5);
    expect(checks.filter(({ name }) => name.startsWith("filter"))).toHaveLength(6);
    expect(checks.filter((check) => !passed(check))).toEqual([]);
    runtime.close();
  });

  test("a wrong id, a wrong score and a wrong probability are noticed", async () => {
    const { fixture, requests } = open();
    const spoilt = structuredClone(requests) as unknown as {
      cases: { sequences: number[][]; sequences_scores?: number[] }[];
      filters: { probabilities: Record<string, number>[] }[];
    };
    spoilt.cases[0]!.sequences[1]![9]! += 1;
    spoilt.cases[6]!.sequences_scores![0]! += 1e-3;
    spoilt.filters[1]!.probabilities[0]!["3"] = 1e-4;
    const checks = await verifyGeneration(createCpuRuntime(), fixture, spoilt as never);
    expect(checks.filter((check) => !passed(check)).map(({ name }) => name)).toEqual([
      "generate greedy",
      "scores beam 4",
      expect.stringMatching(/^filter .*top_k/),
    ]);
  });
});

test("a broken generate.json is refused in one line", () => {
  const files = new Map([["generate.json", new TextEncoder().encode("{}")]]);
  expect(() => readGenerationFixture("dir", files)).toThrow(
    "dir/generate.json: wanted an object with cases and filters",
  );
  expect(readGenerationFixture("dir", new Map())).toBeUndefined();
});
