import { describe, expect, test } from "vitest";
import { createTape } from "../../src/autograd/tape.ts";
import { createGenerator } from "../../src/generate/generate.ts";
import { drawToken, samplingDistribution, samplingPoint } from "../../src/generate/sampling.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { ARENA, declareParameters, initialParameters, layoutParameters } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";

describe("the distribution", () => {
  const logits = [1, 3, 2, 3, -1e30];

  test("temperature divides, the sum is 1", () => {
    const p = samplingDistribution(logits, { temperature: 0.5, topK: 0 });
    expect(p.reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 12);
    expect(p[1]! / p[2]!).toBeCloseTo(Math.exp(2), 9);
  });

  test("top-k keeps ties with the last one kept", () => {
    expect([...samplingDistribution(logits, { temperature: 1, topK: 1 })]).toEqual([0, 0.5, 0, 0.5, 0]);
  });

  test("temperature 0 is greedy, the first of equals", () => {
    expect([...samplingDistribution(logits, { temperature: 0, topK: 3 })]).toEqual([0, 1, 0, 0, 0]);
  });
});

test("draws follow the distribution: chi-square over 100,000 draws", () => {
  const p = Float64Array.of(0.5, 0.25, 0, 0.15, 0.1);
  const counts = new Float64Array(p.length);
  for (let i = 0; i < 100_000; i++) counts[drawToken(p, samplingPoint(3, i % 7, i))]! += 1;
  let statistic = 0;
  for (let i = 0; i < p.length; i++) if (p[i]! > 0) statistic += (counts[i]! - 1e5 * p[i]!) ** 2 / (1e5 * p[i]!);
  expect(counts[2]).toBe(0);
  // 0.1 % point of chi-square with 3 degrees of freedom.
  expect(statistic).toBeLessThan(16.27);
});

describe("generation", () => {
  const config = gpt2Config({ vocabSize: 11, contextLength: 12, width: 8, layers: 1, heads: 2 });
  const layout = layoutParameters(config);

  async function generatorOf() {
    const runtime = createCpuRuntime();
    const tape = createTape();
    declareParameters(tape, layout);
    await runtime.compile(tape);
    runtime.writeState(
      ARENA.parameters,
      initialParameters(config, layout, 1).map((x) => x * 20),
    );
    return createGenerator(runtime, config, layout);
  }
  const options = { temperature: 1, topK: 0, maxNewTokens: 50, endId: 10, seed: 1 };

  test("says why each sequence stopped, and never passes the context", async () => {
    const generator = await generatorOf();
    const results = await generator.generate(
      Array.from({ length: 12 }, () => [10]),
      options,
    );
    for (const { ids, stopped } of results) {
      expect(ids).not.toContain(10);
      if (stopped === "context") expect(ids.length).toBe(11);
      else expect(stopped).toBe("end");
    }
    const short = await generator.generate([[1, 2]], { ...options, endId: null, maxNewTokens: 4 });
    expect(short[0]).toMatchObject({ stopped: "length", ids: { length: 4 } });
  });

  test("a seed decides the text; a row does not depend on the rows beside it", async () => {
    const generator = await generatorOf();
    const many = await generator.generate([[1], [2, 3, 4], [5]], options);
    expect(await generator.generate([[1], [2, 3, 4], [5]], options)).toEqual(many);
    expect(await generator.generate([[1]], options)).toEqual([many[0]]);
    expect(await generator.generate([[1], [2, 3, 4], [5]], { ...options, seed: 2 })).not.toEqual(many);
  });
});
