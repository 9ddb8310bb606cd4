import { describe, expect, test } from "vitest";
import { checkSchedule, learningRateAt, type Schedule } from "../../src/train/schedule.ts";
import fixture from "./fixtures/transformers-schedules.json" with { type: "json" };

describe("gives transformers' learning rates to the last digit of float32", () => {
  test.each(fixture.cases.map((one) => [one.type, one] as const))("%s", (_, { rates, ...schedule }) => {
    const got = rates.map((_, step) => Math.fround(learningRateAt(step, schedule as Schedule)));
    expect(got).toEqual(rates.map(Math.fround));
  });
});

test("linear is the default, and falls to 0 after the last step", () => {
  const schedule = { learningRate: 5e-5, warmupSteps: 2, maxSteps: 6 };
  const rates = [0, 1, 2, 3, 4, 5, 6].map((step) => learningRateAt(step, schedule));
  expect(rates).toEqual([0, 2.5e-5, 5e-5, 5e-5 * 0.75, 2.5e-5, 5e-5 * 0.25, 0]);
  expect(learningRateAt(0, { ...schedule, warmupSteps: 0 })).toBe(5e-5);
});

test("nanogpt warms up from the first step and ends at its floor", () => {
  const schedule = {
    type: "nanogpt",
    learningRate: 1e-3,
    minLearningRate: 1e-4,
    warmupSteps: 100,
    maxSteps: 2000,
  } as const;
  expect(learningRateAt(0, schedule)).toBe(1e-3 / 101);
  expect(learningRateAt(99, schedule)).toBe(0.1 / 101);
  expect(learningRateAt(100, schedule)).toBe(1e-3);
  expect(learningRateAt(1050, schedule)).toBeCloseTo(5.5e-4, 12);
  expect(learningRateAt(2000, schedule)).toBe(1e-4);
});

test.each([
  [{ warmupSteps: 11 }, "warmup_steps is 11; wanted at most max_steps, 10"],
  [{ minLearningRate: 1 }, "min_lr is 1; wanted at most learning_rate, 0.1"],
  [{ type: "warmup_stable_decay", warmupSteps: 6, decaySteps: 6 }, "are 12; wanted at most max_steps, 10"],
] as const)("a schedule that cannot be is refused: %o", (changes, message) => {
  expect(() => checkSchedule({ learningRate: 0.1, warmupSteps: 0, maxSteps: 10, ...changes })).toThrow(message);
});
