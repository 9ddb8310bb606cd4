import { describe, expect, test } from "vitest";
import { GPT2_PRESETS, type Gpt2Config, gpt2Config, parameterCount, parameterShapes } from "../../src/model/config.ts";

const sizes = { vocabSize: 65, contextLength: 64, width: 128, layers: 4, heads: 4 };

test("the published models have as many parameters and tensors as published", () => {
  const counted = Object.entries(GPT2_PRESETS).map(([name, config]) => [
    name,
    parameterCount(config),
    parameterShapes(config).size,
  ]);
  expect(counted).toEqual([
    ["gpt2", 124_439_808, 148],
    ["gpt2-medium", 354_823_168, 292],
    ["gpt2-large", 774_030_080, 436],
    ["gpt2-xl", 1_557_611_200, 580],
  ]);
});

test("what is not said is as in GPT-2, and the end token is the last id", () => {
  expect(gpt2Config(sizes)).toEqual({
    ...sizes,
    innerWidth: 512,
    activation: "gelu_new",
    layerNormEpsilon: 1e-5,
    bias: true,
    tieWordEmbeddings: true,
    dropout: { embedding: 0.1, attention: 0.1, residual: 0.1 },
    bosTokenId: 64,
    eosTokenId: 64,
  });
});

test("a model without biases has none, and an untied classifier is a parameter of its own", () => {
  const plain = parameterShapes(gpt2Config({ ...sizes, bias: false }));
  expect([...plain.keys()].filter((name) => name.endsWith(".bias"))).toEqual([]);
  expect(plain.has("lm_head.weight")).toBe(false);
  const untied = gpt2Config({ ...sizes, tieWordEmbeddings: false });
  expect(parameterShapes(untied).get("lm_head.weight")).toEqual([65, 128]);
  expect(parameterCount(untied) - parameterCount(gpt2Config(sizes))).toBe(65 * 128);
});

test("linear weights are [in, out]", () => {
  const shapes = parameterShapes(gpt2Config({ ...sizes, innerWidth: 300 }));
  expect(shapes.get("h.3.attn.c_attn.weight")).toEqual([128, 384]);
  expect(shapes.get("h.3.mlp.c_fc.weight")).toEqual([128, 300]);
  expect(shapes.get("h.3.mlp.c_proj.weight")).toEqual([300, 128]);
});

describe("a config that is wrong names the field, what was got and what was wanted", () => {
  const cases: [Partial<Gpt2Config>, RegExp][] = [
    [{ vocabSize: 0 }, /^config: vocabSize is 0; wanted a whole number from 1/],
    [{ contextLength: 1.5 }, /contextLength is 1\.5/],
    [{ layers: 1e9 }, /layers is 1000000000; wanted a whole number from 1 to 4096/],
    [{ innerWidth: -1 }, /innerWidth is -1/],
    [{ width: Number.NaN }, /width is null; wanted/],
    [{ heads: 3 }, /width is 128; wanted a multiple of heads \(3\)/],
    [{ width: 129, heads: 1 }, /heads is 1; wanted 2 or more, so that none is wider than 128 columns/],
    [{ activation: "relu" as never }, /activation is "relu"; wanted "gelu_new" or "gelu"/],
    [{ layerNormEpsilon: 0 }, /layerNormEpsilon is 0; wanted/],
    [{ bias: "no" as never }, /bias is "no"; wanted true or false/],
    [{ dropout: { embedding: 0, attention: 1, residual: 0 } }, /dropout\.attention is 1; wanted a probability/],
    [{ eosTokenId: 65 }, /eosTokenId is 65; wanted null or an id from 0 to 64/],
  ];
  test.each(cases)("%j", (change, message) => {
    expect(() => gpt2Config({ ...sizes, ...change })).toThrow(message);
  });
});
