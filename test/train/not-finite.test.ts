import { describe, expect, test } from "vitest";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { randomFrom } from "../support/device-loss.ts";
import { openTestRuntime, testDrivers } from "../support/drivers.ts";
import { drawPoison, preparePoisonTest } from "../support/poison.ts";

/** As scripts/not-finite.ts, with fewer values. */
async function inject(runtime: Runtime, accumulated: boolean, count: number): Promise<Set<string>> {
  const random = randomFrom(7);
  const results = new Set<string>();
  const prepared = await preparePoisonTest(runtime, accumulated);
  for (let i = 0; i < count; i++) {
    const poison = drawPoison(accumulated, random);
    const { op, result, wrong } = await prepared.inject(poison);
    expect(wrong, `${op} ${JSON.stringify(poison)}`).toBeUndefined();
    results.add(result);
  }
  return results;
}

describe("a step in which some value turns NaN or infinite leaves weights and moments as they were", () => {
  test.each([
    ["one batch", false],
    ["two batches", true],
  ])("CPU, %s", async (_, accumulated) => {
    expect(await inject(createCpuRuntime(), accumulated, 60)).toContain("left out");
  });

  test.each(testDrivers)(
    "%s",
    async (adapter) => {
      const runtime = await openTestRuntime(adapter);
      expect(await inject(runtime, true, 6)).toContain("left out");
      runtime.close();
    },
    240_000,
  );
});
