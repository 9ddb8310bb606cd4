import { describe, expect, test } from "vitest";
import { addOp } from "../../src/kernels/add.ts";
import { gpuKernelOf } from "../../src/kernels/gpu/index.ts";
import type { AnyOp } from "../../src/kernels/op.ts";
import { runOp } from "../../src/runtime/compare.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { openTestGpu, testAdapters } from "./gpu.ts";
import { guardGpu } from "./guard.ts";

/** `add`, whose kernel is told of `more` elements than there are. */
function addWith(more: number): AnyOp {
  const honest = addOp as unknown as AnyOp;
  const gpu: AnyOp["gpu"] = (inputs, outputs, attrs, traits) => {
    const shape = [outputs.y!.shape[0]! + more];
    const longer = (tensor: object) => ({ ...tensor, dtype: "f32" as const, shape });
    return gpuKernelOf(honest).gpu(
      { a: longer(inputs.a!), b: longer(inputs.b!) },
      { y: longer(outputs.y!) },
      attrs,
      traits,
    );
  };
  return { ...honest, gpu };
}

describe.each(testAdapters)("guard zones on %s", (adapter) => {
  async function run(more: number): Promise<number[]> {
    const gpu = guardGpu(await openTestGpu(adapter));
    const runtime = createGpuRuntime(gpu);
    const x = { dtype: "f32", shape: [6], values: [1, 2, 3, 4, 5, 6] } as const;
    const { y } = await runOp(runtime, addWith(more), { inputs: { a: x, b: x } });
    runtime.close();
    await gpu.checkGuards();
    return [...y!];
  }

  test("a kernel that keeps to its tensors passes", async () => {
    expect(await run(0)).toEqual([2, 4, 6, 8, 10, 12]);
  });

  test("one write past the end is found, and whose it is", async () => {
    await expect(run(1)).rejects.toThrow("past the end of");
  });

  test("an element left out is NaN", async () => {
    expect(await run(-1)).toEqual([2, 4, 6, 8, 10, Number.NaN]);
  });
});
