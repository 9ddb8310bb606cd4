/** Where a step's time goes: every op of its tape, each with the time of its dispatches. */
import { expect, test } from "vitest";
import type { Tape } from "../../src/autograd/tape.ts";
import { untuned } from "../../src/library/device.ts";
import { tapesOf } from "../../src/run/session.ts";
import { profileStep } from "../../src/run/step-profile.ts";
import type { Program } from "../../src/runtime/runtime.ts";
import { openTestRuntime, testDrivers } from "../support/drivers.ts";
import { testAdapters } from "../support/gpu.ts";
import { planScenario } from "./scenario.ts";

/** SwiftShader takes seconds to compile a step. */
const drivers = testDrivers.filter((driver) => driver !== "embedded" || !testAdapters.includes("system"));

test.each(drivers)("%s: all ops of a step are there, with times that sum up", async (driver) => {
  const plan = await planScenario();
  const runtime = untuned(await openTestRuntime(driver));
  const began = performance.now();
  const { timed, runs, nodes, ops, opsMs } = await profileStep(runtime, plan, { budget: undefined, seconds: 0 });
  const took = performance.now() - began;
  // Two batches, then the update, each a tape of its own.
  const [batch, update] = tapesOf(plan, runtime);
  expect(nodes.map(({ op }) => op)).toEqual([...batch!.nodes, ...update!.nodes].map(({ op }) => op.name));
  expect(nodes.map(({ section }) => section)).toContain("h.0");
  expect(nodes[0]!.line).toMatch(/^y %\d+ \[\d+, 8\] = embedding\(/);
  expect(timed).toBe(true);
  expect(runs).toBe(3);
  expect(ops.reduce((sum, { ms }) => sum + ms, 0)).toBeCloseTo(opsMs, 6);
  expect(ops.reduce((sum, { nodes }) => sum + nodes, 0)).toBe(nodes.length);
  expect(opsMs).toBeGreaterThan(0);
  // Three runs of a batch, half of a step each, and of the update are a part of what all took.
  expect(opsMs).toBeLessThan(took);
  const products = nodes.filter(({ op }) => op === "matmul");
  expect(products.every(({ dispatches }) => dispatches >= 2)).toBe(true);
  runtime.close();
  await plan.data.close();
});

test("it is stopped between two runs", async () => {
  const plan = await planScenario();
  const runtime = untuned(await openTestRuntime("wasm"));
  const stop = new AbortController();
  stop.abort(new Error("enough"));
  await expect(profileStep(runtime, plan, { budget: undefined, seconds: 0, signal: stop.signal })).rejects.toThrow(
    "enough",
  );
  runtime.close();
  await plan.data.close();
});

test("without timestamps there is the tape, and no times", async () => {
  const plan = await planScenario();
  const runtime = await openTestRuntime("wasm");
  const blind = {
    ...runtime,
    compile: async (tape: Tape): Promise<Program> => {
      const { profile: _, ...program } = await runtime.compile(tape);
      return program;
    },
  };
  const { timed, runs, nodes, ops, opsMs, leastMicroseconds } = await profileStep(untuned(blind), plan, {
    budget: undefined,
    seconds: 0,
  });
  expect({ timed, runs, opsMs, leastMicroseconds }).toEqual({ timed: false, runs: 0, opsMs: 0, leastMicroseconds: 0 });
  expect(nodes.length).toBeGreaterThan(40);
  expect(ops.find(({ op }) => op === "matmul")).toMatchObject({ ms: 0, dispatches: 0 });
  expect(ops.find(({ op }) => op === "matmul")!.flops).toBeGreaterThan(0);
  runtime.close();
  await plan.data.close();
});
