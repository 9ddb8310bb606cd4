import { describe, expect, test } from "vitest";
import { createTape } from "../../src/autograd/tape.ts";
import { DeviceLostError } from "../../src/core/errors.ts";
import { add } from "../../src/kernels/add.ts";
import { gelu } from "../../src/kernels/gelu.ts";
import { f32 } from "../../src/kernels/op.ts";
import { openGpu } from "../../src/platform/node.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { testAdapters } from "../support/gpu.ts";

const N = 1 << 16;

function tapeOf(op: typeof gelu) {
  const tape = createTape();
  const state = tape.state("x", f32([N]));
  tape.output("y", op(add(state, state)));
  return tape;
}

describe.each(testAdapters)("%s: a lost device", (adapter) => {
  test.each(["before", "while"])(
    "is told in time %s something is asked of it, and ever after",
    async (when) => {
      const gpu = await openGpu({ adapter });
      const runtime = createGpuRuntime(gpu);
      const program = await runtime.compile(tapeOf((x) => x));
      await program.run({});
      if (when === "before") gpu.device.destroy();
      const asked = [program.run({}), runtime.readState("x"), runtime.compile(tapeOf(gelu)), program.run({})];
      if (when === "while") gpu.device.destroy();
      for (const promise of asked) await expect(promise).rejects.toThrow(DeviceLostError);
      for (const again of [() => program.run({}), () => runtime.readState("x"), () => runtime.compile(tapeOf(gelu))])
        await expect(again()).rejects.toThrow(/the device was lost \(destroyed\)/);
      runtime.close();
      gpu.close();
    },
    10_000,
  );

  test("that we closed ourselves is no lost one", async () => {
    const gpu = await openGpu({ adapter });
    const runtime = createGpuRuntime(gpu);
    const program = await runtime.compile(tapeOf((x) => x));
    const running = program.run({});
    gpu.close();
    await expect(running).rejects.toThrow("the device was closed");
    await expect(running).rejects.not.toThrow(DeviceLostError);
  });
});
