import { expect, test } from "vitest";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { createPace, unitsOf } from "../../src/runtime/pace.ts";
import { trainTiny } from "../browser/tiny.ts";
import { withDevice } from "../support/device.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";

/** A clock that is set, and works of 10^9 units each. */
function paced(share?: number) {
  let now = 0;
  const pace = createPace(share, () => now);
  const work = (gigas: number): number[] => new Array(gigas).fill(1e9);
  return {
    pace,
    work,
    pass: (milliseconds: number) => {
      now += milliseconds;
    },
    /** Submits of a run of so many gigas. */
    submits: (gigas: number): number => pace.cut(work(gigas)).length,
  };
}

test("a device is taken for a slow one until it was measured, and work goes to it a quarter of a second's at a time", () => {
  const { pace, work, pass, submits } = paced();
  expect(pace.cut(work(7))).toEqual([2, 4, 6, 7]);
  const ended = pace.submitted(work(10));
  pass(100); // 100 gigas a second
  ended(true);
  expect(submits(25)).toBe(1);
  expect(submits(26)).toBe(2);
});

test("a dispatch that takes longer goes alone, and one run of nothing in one submit", () => {
  const { pace } = paced();
  expect(pace.cut([1, 9e9, 9e9, 1, 1])).toEqual([1, 2, 3, 5]);
  expect(pace.cut([])).toEqual([0]);
  expect(unitsOf({ flops: 10, bytes: 5 })).toBe(30);
  expect(unitsOf({ flops: Number.NaN, bytes: 5 })).toBe(0);
});

test("short runs, of which most is waiting, do not make a device slower than it was thought, and faster by half at most", () => {
  const { pace, work, pass, submits } = paced();
  const slow = pace.submitted([1]);
  pass(50);
  slow(true);
  expect(submits(4)).toBe(2);
  const fast = pace.submitted(work(100));
  pass(1);
  fast(true);
  expect(submits(5)).toBe(1);
  expect(submits(6)).toBe(2);
});

test("of runs that wait for each other all the time counts, of all work that was queued, read or not", () => {
  const { pace, work, pass, submits } = paced();
  const first = pace.submitted(work(10));
  pace.unread(work(10));
  const second = pace.submitted(work(10));
  pass(100);
  first(true); // 100 a second
  expect(submits(25)).toBe(1);
  pass(500);
  second(true); // 30 in 0.6 s
  expect(submits(13)).toBe(2);
  expect(submits(12)).toBe(1);
  pass(100_000); // nothing to do
  const third = pace.submitted(work(10));
  pass(100);
  third(true);
  expect(submits(25)).toBe(1);
});

test("micro-batches, whose results nobody reads, count in the time of the update behind them", () => {
  const { pace, work, pass, submits } = paced();
  pace.unread(work(30));
  pace.unread(work(30));
  pass(10);
  const update = pace.submitted(work(1));
  pass(600);
  update(true); // 100 a second
  expect(submits(25)).toBe(1);
  expect(submits(26)).toBe(2);
});

test("what goes on for long is measured anew, and what is never read is no measurement", () => {
  const { pace, work, pass, submits } = paced();
  let before = pace.submitted(work(100));
  for (let second = 0; second < 12; second++) {
    const next = pace.submitted(work(100));
    pass(1000);
    before(true);
    before = next;
  }
  // Twenty times as slow from now on.
  for (let second = 0; second < 20; second++) {
    const next = pace.submitted(work(5));
    pass(1000);
    before(true);
    before = next;
  }
  expect(submits(2)).toBe(2);
  pass(60_000);
  before(false);
  const ended = pace.submitted(work(100));
  pass(10_000);
  ended(true); // 10 a second
  expect(submits(2)).toBe(1);
});

test("after a loss a submit is half as long", () => {
  expect(paced(0.5).submits(7)).toBe(7);
  expect(paced(0.5 ** 2).submits(2)).toBe(2);
});

test.each(testAdapters)("%s: a step in many submits ends in the bits of a step in one", async (adapter) => {
  const gpu = await openTestGpu(adapter);
  const train = async (losses: number) => {
    let submits = 0;
    const { queue } = gpu.device;
    const counting = new Proxy(queue, {
      get(target, key) {
        if (key === "submit") submits++;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const runtime = createGpuRuntime(withDevice(gpu, { queue: counting }), {}, { losses });
    const run = await trainTiny(runtime);
    runtime.close();
    return { run, submits };
  };
  const whole = await train(0);
  const cut = await train(40);
  expect(cut.submits).toBeGreaterThan(10 * whole.submits);
  expect(cut.run).toEqual(whole.run);
});
