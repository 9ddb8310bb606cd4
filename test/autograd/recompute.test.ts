import { describe, expect, test } from "vitest";
import { packStep } from "../../src/kernels/step.ts";
import { ARENA } from "../../src/model/arena.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { initialParameters, layoutParameters } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { collate } from "../../src/train/batch.ts";
import { trainingTape } from "../../src/train/step.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";

const dropout = { embedding: 0.1, attention: 0.1, residual: 0.1 };
const config = gpt2Config({ vocabSize: 19, contextLength: 16, width: 16, layers: 4, heads: 2, dropout });
const layout = layoutParameters(config);
const adam = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };
const sequences = [17, 11, 14].map((length) => ({ ids: Array.from({ length }, (_, i) => (i * length) % 19) }));
const batch = collate(sequences, 16, config.vocabSize);

async function stepOn(runtime: Runtime, recompute: boolean) {
  const tape = trainingTape(config, layout, batch.shape, { ...adam, recompute });
  const program = await runtime.compile(tape);
  runtime.writeState(ARENA.parameters, initialParameters(config, layout, 3));
  const step = packStep({ seed: 4, step: 1, learningRate: 1e-3, lossScale: 1 / batch.labelCount, betas: [0.9, 0.95] });
  const { loss, stats } = await program.run({ ...batch.inputs, step });
  const weights = await runtime.readState(ARENA.parameters);
  return { loss, stats, weights, nodes: tape.nodes.length, bytes: program.stats.transientBytes };
}

describe("a step that recomputes its blocks gives the same bits, dropout included", () => {
  test("CPU", async () => {
    const [kept, again] = [await stepOn(createCpuRuntime(), false), await stepOn(createCpuRuntime(), true)];
    expect({ ...again, nodes: 0, bytes: 0 }).toEqual({ ...kept, nodes: 0, bytes: 0 });
    // Each block's ops but its last product and dropout and sum, which no gradient reads.
    expect(again.nodes).toBeGreaterThan(kept.nodes + 4 * 6);
  });

  test.each(testAdapters)("%s, in less memory", async (adapter) => {
    const run = async (recompute: boolean) => {
      const runtime = createGpuRuntime(await openTestGpu(adapter));
      const result = await stepOn(runtime, recompute);
      runtime.close();
      return result;
    };
    const [kept, again] = [await run(false), await run(true)];
    expect({ ...again, nodes: 0, bytes: 0 }).toEqual({ ...kept, nodes: 0, bytes: 0 });
    expect(again.bytes).toBeLessThan(0.75 * kept.bytes);
  });
});
