import { expect, test } from "vitest";
import { createTape } from "../../src/autograd/tape.ts";
import { OPS } from "../../src/kernels/index.ts";
import { f16, f32 } from "../../src/kernels/op.ts";
import { runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { halvesOn, openTestGpu, testAdapters } from "../support/gpu.ts";

// as `gpt2 gradcheck` does, where cases of an op that works in place had two types for one state
test("one runtime runs every case of every op, one after another", async () => {
  const runtime = createCpuRuntime();
  for (const op of OPS) for (const check of op.cases) await runOp(runtime, op, check);
});

test.each(testAdapters.filter(halvesOn))(
  "%s: so does a GPU with f16 the ops that work in place on both",
  async (adapter) => {
    const runtime = createGpuRuntime(await openTestGpu(adapter));
    const ofBoth = OPS.filter(({ updates, cases }) => {
      return updates && cases.some(({ inputs }) => Object.values(inputs).some(({ dtype }) => dtype === "f16"));
    });
    expect(ofBoth.map(({ name }) => name)).toContain("crossEntropyBackward");
    for (const op of ofBoth) for (const check of op.cases) await runOp(runtime, op, check);
    runtime.close();
  },
);

test("a state that two tapes want in two types is told by both", async () => {
  const runtime = createCpuRuntime();
  const wanting = (type: ReturnType<typeof f32>) => {
    const tape = createTape();
    tape.state("x", type);
    return runtime.compile(tape);
  };
  await wanting(f32([3, 5]));
  await expect(wanting(f16([3, 5]))).rejects.toThrow('state "x" is f32 [3, 5] already, another tape wants f16 [3, 5]');
  await expect(wanting(f32([5, 3]))).rejects.toThrow('state "x" is f32 [3, 5] already, another tape wants f32 [5, 3]');
});
