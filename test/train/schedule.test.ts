import { describe, expect, test } from "vitest";
import { checkSchedule, learningRateAt, SCHEDULES, type Schedule, usualWarmup } from "../../src/train/schedule.ts";
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

test("of a run of any length that nobody asked to warm up every step learns; long ones climb from 0 in 50 steps, as ever", () => {
  const idle: string[] = [];
  for (const type of SCHEDULES)
    for (const minLearningRate of [0, 1e-4])
      for (let maxSteps = 1; maxSteps < 500; maxSteps++) {
        const schedule = { type, learningRate: 1e-3, minLearningRate, maxSteps, ...usualWarmup(maxSteps) };
        checkSchedule(schedule);
        const rates = Array.from({ length: maxSteps }, (_, step) => learningRateAt(step, schedule));
        if (!rates.every((rate) => rate > 0 && rate <= 1e-3)) idle.push(`${type} of ${maxSteps}`);
        if (!rates.some((rate) => rate > 0.9e-3)) idle.push(`${type} of ${maxSteps} never reaches its top`);
      }
  expect(idle).toEqual([]);
  expect([1, 9, 10, 400, 499].map((steps) => usualWarmup(steps).warmupSteps)).toEqual([0, 0, 1, 40, 49]);
  for (const maxSteps of [500, 1000, 100_000]) expect(usualWarmup(maxSteps)).toEqual({ warmupSteps: 50 });
});

test("a warm-up that nobody asked for leaves room for a decay that was", () => {
  const schedule = { type: "warmup_stable_decay", learningRate: 0.1, maxSteps: 100, decaySteps: 95 } as const;
  expect(usualWarmup(100, 95).warmupSteps).toBe(5);
  checkSchedule({ ...schedule, ...usualWarmup(100, 95) });
});

test("one step that was asked to warm up would learn nothing, as transformers' does: it is refused", () => {
  const one = { learningRate: 0.1, warmupSteps: 1, maxSteps: 1 };
  expect(() => checkSchedule(one)).toThrow("warmup_steps is 1 of max_steps 1: its learning rate is 0");
  checkSchedule({ ...one, type: "nanogpt" });
  checkSchedule({ ...one, type: "constant" });
  checkSchedule({ ...one, learningRate: 0 });
});
