import { expect, test } from "vitest";
import { difference, trainThroughLosses } from "../support/device-loss.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";

// Devices of their own, which compile anew: one driver is enough here, scripts/device-loss.ts takes both.
test.skipIf(testAdapters.length === 0)(
  "a run whose devices are lost ends in the same bits",
  async () => {
    const adapter = testAdapters.at(-1)!;
    const unlost = await openTestGpu(adapter);
    const whole = await trainThroughLosses(adapter, 9, [], unlost);
    const moments = [
      { kind: "run", call: 14 },
      { kind: "readState", call: 20 },
    ] as const;
    const cut = await trainThroughLosses(adapter, 9, moments, unlost);
    expect(cut.lost).toEqual(["run", "readState"]);
    expect(cut.repeated).toBeGreaterThan(0);
    expect(difference(cut, whole)).toBeUndefined();
  },
  240_000,
);
