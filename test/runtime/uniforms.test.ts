import { expect, test } from "vitest";
import { compileStep } from "../../src/bench/step-program.ts";
import { uniformBytes } from "../../src/kernels/wgsl.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";

test("uniforms are laid out as the shader's struct says, whatever their order", () => {
  const bytes = uniformBytes({ shader: ["lib/grid", "fill"], uniforms: { VALUE: 0.5, N: 7 } })!;
  const view = new DataView(bytes.buffer);
  expect([bytes.length, view.getUint32(0, true), view.getFloat32(4, true)]).toEqual([8, 7, 0.5]);
  expect(uniformBytes({ shader: ["lib/grid"] })).toBeUndefined();
});

test("a uniform that is missing or unknown is named", () => {
  expect(() => uniformBytes({ shader: ["fill"], uniforms: { N: 7 } })).toThrow("want the uniform VALUE");
  expect(() => uniformBytes({ shader: ["fill"], uniforms: { N: 7, VALUE: 0, M: 1 } })).toThrow("have no uniform M");
});

test.each(testAdapters)("%s: training steps for records of other lengths add no pipelines", async (adapter) => {
  const runtime = createGpuRuntime(await openTestGpu(adapter));
  const dropout = { embedding: 0.1, attention: 0.1, residual: 0.1 };
  const config = gpt2Config({ vocabSize: 12, contextLength: 32, width: 16, layers: 2, heads: 2, dropout });
  const count = async (context: number) => {
    const shape = { batch: 4, context };
    const { program } = await compileStep(runtime, { name: `T${context}`, config, shape });
    return program.stats.pipelines;
  };
  const first = await count(32);
  expect(first).toBeGreaterThan(10);
  // as the trainer pads batches: by steps of 8
  expect(await count(24)).toBe(first);
  expect(await count(8)).toBe(first);
  runtime.close();
});
