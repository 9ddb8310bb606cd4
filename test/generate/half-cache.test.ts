import { describe, expect, test } from "vitest";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import { createDecoder } from "../../src/generate/decoder.ts";
import { createGenerator } from "../../src/generate/generate.ts";
import { ARENA, writeArena } from "../../src/model/arena.ts";
import type { ParameterLayout } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { openTestGpu, type TestAdapter, testAdapters } from "../support/gpu.ts";
import { FLIPS, halfLayout, roundedMatrices, smallWeights, withFixed } from "../support/half-model.ts";
import { smallConfig, smallLayout } from "../support/small-model.ts";

const T = smallConfig.contextLength;
const C = smallConfig.width;
const text = Array.from({ length: T }, (_, i) => (i * i + 3 * i) % smallConfig.vocabSize);

async function openModel(
  on: TestAdapter | "CPU" | "CPU in float64",
  layout: ParameterLayout,
  arena = smallWeights,
): Promise<Runtime> {
  const cpu = (): Runtime => createCpuRuntime({ precision: on === "CPU" ? "float32" : "float64" });
  const runtime = on === "CPU" || on === "CPU in float64" ? cpu() : createGpuRuntime(await openTestGpu(on));
  writeArena(runtime, layout, ARENA.parameters, arena);
  return runtime;
}

/** Logits after a whole text, of which `prompt` tokens are a prompt and the others come one by one. */
async function logitsAfter(runtime: Runtime, layout: ParameterLayout, prompt: number): Promise<number[]> {
  const decoder = createDecoder(runtime, smallConfig, layout);
  const session = await decoder.logits([{ prompt: text.slice(0, prompt), least: 0, most: T }]);
  let logits = session.first;
  for (let at = prompt; at < T; at++) logits = await session.next(Uint32Array.of(text[at]!), Uint32Array.of(at));
  decoder.dispose();
  return Array.from(logits);
}

describe("a text that comes token by token has the logits of the same as a prompt", () => {
  test.each([
    ["f32", smallLayout],
    ["f16", halfLayout],
  ])("%s: exactly, where all but the cache is float64", async (_, layout) => {
    const runtime = await openModel("CPU in float64", layout);
    const whole = await logitsAfter(runtime, layout, T);
    for (const prompt of [1, 7, T - 1])
      expect(relativeL2(await logitsAfter(runtime, layout, prompt), whole), `prompt of ${prompt}`).toBeLessThan(1e-12);
  });

  test.each(testAdapters)(
    "on %s, and they are those of the reference, not those of a cache in f32",
    async (adapter) => {
      const device = await openModel(adapter, halfLayout);
      const wanted = await logitsAfter(await openModel("CPU", halfLayout), halfLayout, 1);
      for (const prompt of [1, 20, T])
        expect(relativeL2(await logitsAfter(device, halfLayout, prompt), wanted), `prompt of ${prompt}`).toBeLessThan(
          FLIPS,
        );
      const other = await openModel("CPU", smallLayout, roundedMatrices(smallWeights));
      expect(relativeL2(await logitsAfter(other, smallLayout, 1), wanted)).toBeGreaterThan(2 * FLIPS);
      device.close();
    },
  );
});

/** Of the keys or the values of the first head the first channel is `value`; the query's is 1, so that it counts. */
function withChannel(column: number, value: number): Float32Array<ArrayBuffer> {
  return withFixed(smallWeights, (at) => (at === column ? value : at === 0 ? 1 : undefined));
}

describe.each([...testAdapters, "CPU" as const])("beyond what f16 holds, on %s", (adapter) => {
  test.each([
    ["a key", C],
    ["a value", 2 * C],
  ])("%s is refused, and nothing is left out of a softmax without a word", async (_, column) => {
    const damaged = /^the model's logits are not finite: .* beyond 65,504, which f16 does not hold: try it in f32$/;
    for (const value of [65520, -65520, -1e30]) {
      const runtime = await openModel(adapter, halfLayout, withChannel(column, value));
      const generator = createGenerator(runtime, smallConfig, halfLayout);
      // A token that a prompt alone decides, and one that the cache does; sampled on the device, and a search on the host.
      for (const more of [{ maxNewTokens: 1 }, { maxNewTokens: 3 }, { maxNewTokens: 2, numBeams: 2 }])
        await expect(generator.generate([[1, 2, 3]], { doSample: false, ...more })).rejects.toThrow(damaged);
      runtime.close();
    }
  });

  test("what rounds to the largest is kept, and f32 keeps what is larger", async () => {
    for (const [layout, value] of [
      [halfLayout, 65519],
      [halfLayout, -65519],
      [smallLayout, -70000],
    ] as const) {
      const runtime = await openModel(adapter, layout, withChannel(C, value));
      const generator = createGenerator(runtime, smallConfig, layout);
      const [made] = await generator.generate([[1, 2, 3]], { doSample: false, maxNewTokens: 3, eosTokenId: null });
      expect(made!.ids).toHaveLength(3);
      runtime.close();
    }
  });
});

test.each(testAdapters)(
  "%s: models in f32 and in f16 generate on one runtime, each from a cache of its own",
  async (adapter) => {
    const runtime = await openModel(adapter, halfLayout);
    writeArena(runtime, smallLayout, ARENA.parameters, smallWeights);
    const options = { doSample: false, maxNewTokens: 20, eosTokenId: null };
    const texts: (readonly number[])[] = [];
    for (const layout of [smallLayout, halfLayout, smallLayout]) {
      const alone = await openModel("CPU", layout);
      const [[made], [wanted]] = [
        await createGenerator(runtime, smallConfig, layout).generate([[3, 1]], options),
        await createGenerator(alone, smallConfig, layout).generate([[3, 1]], options),
      ] as const;
      expect(made!.ids).toEqual(wanted!.ids);
      texts.push(made!.ids);
    }
    expect(texts[2]).toEqual(texts[0]);
    runtime.close();
  },
);
