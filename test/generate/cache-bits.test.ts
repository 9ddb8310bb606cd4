import { describe, expect, test } from "vitest";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import type { Format } from "../../src/core/dtype.ts";
import { createDecoder } from "../../src/generate/decoder.ts";
import { createGenerator } from "../../src/generate/generate.ts";
import type { GenerateOptions } from "../../src/generate/options.ts";
import { ARENA, writeArena } from "../../src/model/arena.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { type TestDriver, testDrivers } from "../support/drivers.ts";
import { testAdapters } from "../support/gpu.ts";
import { halfLayout, smallWeights } from "../support/half-model.ts";
import { smallConfig, smallLayout, smallRuntime } from "../support/small-model.ts";

const T = smallConfig.contextLength;
const text = Array.from({ length: T }, (_, i) => (i * i + 3 * i) % smallConfig.vocabSize);

function reference(precision: "float32" | "float64"): Runtime {
  const runtime = createCpuRuntime({ precision });
  writeArena(runtime, smallLayout, ARENA.parameters, smallWeights);
  return runtime;
}

async function onDevice(driver: TestDriver): Promise<Runtime> {
  const runtime = await smallRuntime(driver);
  writeArena(runtime, smallLayout, ARENA.parameters, smallWeights);
  return runtime;
}

/** Logits after a whole text, of which `prompt` tokens are a prompt and the others come one by one. */
async function logitsAfter(runtime: Runtime, prompt: number, cache: Format): Promise<number[]> {
  const decoder = createDecoder(runtime, smallConfig, smallLayout);
  const session = await decoder.logits([{ prompt: text.slice(0, prompt), least: 0, most: T }], { cache });
  let logits = session.first;
  for (let at = prompt; at < T; at++) logits = await session.next(Uint32Array.of(text[at]!), Uint32Array.of(at));
  decoder.dispose();
  return Array.from(logits);
}

async function generated(runtime: Runtime, prompts: number[][], options: GenerateOptions, layout = smallLayout) {
  const generator = createGenerator(runtime, smallConfig, layout);
  const all = await generator.generate(prompts, options);
  generator.dispose();
  return all.map(({ ids }) => [...ids]);
}

describe("a cache of 8 bits", () => {
  test("has the logits of a prompt for a text that comes token by token, and they are near those of f32", async () => {
    const runtime = reference("float64");
    const whole = await logitsAfter(runtime, T, "i8");
    for (const prompt of [1, 7, T - 1])
      expect(relativeL2(await logitsAfter(runtime, prompt, "i8"), whole), `prompt of ${prompt}`).toBeLessThan(1e-12);
    const lost = relativeL2(whole, await logitsAfter(runtime, T, "f32"));
    expect(lost).toBeGreaterThan(2e-4);
    expect(lost).toBeLessThan(3e-3);
  });

  test.each(testDrivers)("on %s is that of the reference", async (driver) => {
    const device = await onDevice(driver);
    const wanted = await logitsAfter(reference("float64"), T, "i8");
    for (const prompt of [1, 20, T]) {
      expect(relativeL2(await logitsAfter(device, prompt, "i8"), wanted), `prompt of ${prompt}`).toBeLessThan(2e-4);
    }
    device.close();
  });

  test.each(testDrivers)("on %s gives the texts of the reference, whatever is beside them", async (driver) => {
    const device = await onDevice(driver);
    const prompts = [[3, 1], [2], [7, 7, 7, 4]];
    for (const options of [
      { doSample: false },
      { doSample: true, topK: 0, seed: 4 },
      { numBeams: 3 },
      { doSample: true, seed: 2, numReturnSequences: 3 },
    ]) {
      const all = { ...options, kvBits: 8, maxNewTokens: 20, eosTokenId: null } as const;
      const together = await generated(device, prompts, all);
      expect(together).toEqual(await generated(reference("float32"), prompts, all));
      if (!("seed" in options)) expect(await generated(device, [prompts[1]!], all)).toEqual([together[1]]);
    }
    device.close();
  });
});

test.each(testAdapters)("%s: bits of the cache are no matter of the weights'", async (adapter) => {
  const device = await onDevice(adapter);
  writeArena(device, halfLayout, ARENA.parameters, smallWeights);
  const options = { doSample: false, maxNewTokens: 20, eosTokenId: null } as const;
  for (const layout of [smallLayout, halfLayout]) {
    const host = createCpuRuntime();
    writeArena(host, layout, ARENA.parameters, smallWeights);
    for (const kvBits of [undefined, 8, 16, 32, undefined] as const) {
      const all = { ...options, kvBits };
      expect(await generated(device, [[3, 1]], all, layout), `${kvBits}`).toEqual(
        await generated(host, [[3, 1]], all, layout),
      );
    }
    const wide = layout === smallLayout ? 32 : 16;
    expect(await generated(device, [[3, 1]], { ...options, kvBits: wide }, layout)).toEqual(
      await generated(device, [[3, 1]], options, layout),
    );
  }
  device.close();
});

test("16 bits want a GPU, and say so", async () => {
  const runtime = await smallRuntime("wasm" as TestDriver);
  await expect(generated(runtime, [[1]], { kvBits: 16 })).rejects.toThrow(
    /^kvBits is 16: WebAssembly.* has no f16; give 8 or 32, or use a GPU, of which any will do$/,
  );
  runtime.close();
});

test.each([4, 12, 0, "8", null, Number.NaN])("%s bits are refused", async (kvBits) => {
  const runtime = reference("float32");
  await expect(generated(runtime, [[1]], { kvBits: kvBits as 8 })).rejects.toThrow(
    /^kvBits is .*: wanted 8, 16 or 32$/,
  );
  runtime.close();
});
