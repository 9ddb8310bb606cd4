import { expect, test } from "vitest";
import { gpt2Config } from "../../src/model/config.ts";
import {
  initialParameters,
  type LayoutOptions,
  layoutParameters,
  trainedEntries,
  unpackParameters,
} from "../../src/model/parameters.ts";
import { matchesPattern } from "../../src/model/patterns.ts";

const config = gpt2Config({ vocabSize: 11, contextLength: 16, width: 8, layers: 2, heads: 2 });
const whole = layoutParameters(config);

test("without options everything trains, in one group, matrices first", () => {
  expect(whole.groups).toEqual([
    { name: "*", rateFactor: 1, offset: 0, size: whole.size, decayed: expect.any(Number) },
  ]);
  expect(whole.trained).toBe(whole.size);
  const { decayed } = whole.groups[0]!;
  for (const { shape, offset } of whole.entries) expect(offset < decayed).toBe(shape.length > 1);
});

test.each([
  ["wte", "wte.weight", true],
  ["wte.weight", "wte.weight", true],
  ["wt", "wte.weight", false],
  ["h.0", "h.0.ln_1.bias", true],
  ["h.0.*", "h.0.attn.c_attn.weight", true],
  ["h.1", "h.10.ln_1.bias", false],
  ["h.*.ln_1", "h.10.ln_1.bias", true],
  ["*.bias", "ln_f.bias", true],
  ["*.bias", "ln_f.weight", false],
  ["*", "wpe.weight", true],
  ["h.0.", "h.0.ln_1.bias", false],
  ["h?0", "h.0.ln_1.bias", false],
  ["", "wte.weight", false],
] as const)("the pattern %j and %s: %s", (pattern, name, matches) => {
  expect(matchesPattern(pattern, name)).toBe(matches);
});

test("what is frozen lies behind what trains, and nothing overlaps", () => {
  const layout = layoutParameters(config, { freeze: ["wte", "h.0.*", "*.ln_2"] });
  const names = trainedEntries(layout).map(({ name }) => name);
  expect(names).not.toContain("wte.weight");
  expect(names.filter((name) => name.startsWith("h.0") || name.includes("ln_2"))).toEqual([]);
  expect(names).toContain("h.1.mlp.c_fc.weight");
  expect(layout.entries).toHaveLength(whole.entries.length);
  expect(layout.size).toBe(whole.size);
  expect(layout.groups.reduce((sum, { size }) => sum + size, 0)).toBe(layout.trained);
  const sorted = [...layout.entries].sort((a, b) => a.offset - b.offset);
  sorted.forEach(({ offset, shape }, i) => {
    const end = offset + shape.reduce((a, b) => a * b, 1);
    expect(end).toBeLessThanOrEqual(sorted[i + 1]?.offset ?? layout.size);
  });
});

test("each factor of the learning rate has a stretch of its own; the last pattern that names a parameter counts", () => {
  const rateFactors = [
    { pattern: "h", factor: 0.5 },
    { pattern: "h.1", factor: 0.1 },
  ];
  const layout = layoutParameters(config, { rateFactors, freeze: ["wpe"] });
  expect(layout.groups.map(({ name, rateFactor }) => [name, rateFactor])).toEqual([
    ["*", 1],
    ["h", 0.5],
    ["h.1", 0.1],
  ]);
  const groupOf = (wanted: string) => {
    const { offset } = layout.entries.find(({ name }) => name === wanted)!;
    return layout.groups.find((group) => offset >= group.offset && offset < group.offset + group.size)?.name;
  };
  expect(["wte.weight", "h.0.ln_1.bias", "h.1.attn.c_attn.weight", "wpe.weight"].map(groupOf)).toEqual([
    "*",
    "h",
    "h.1",
    undefined,
  ]);
});

test("the same seed gives the same weights, whatever is frozen", () => {
  const options: LayoutOptions = { freeze: ["h.0"], rateFactors: [{ pattern: "wte", factor: 0.1 }] };
  const layout = layoutParameters(config, options);
  const wanted = unpackParameters(whole, initialParameters(config, whole, 3));
  expect(unpackParameters(layout, initialParameters(config, layout, 3))).toEqual(
    new Map(layout.entries.map(({ name }) => [name, wanted.get(name)!])),
  );
});

test.each<[string, LayoutOptions, string]>([
  [
    "a pattern that names nothing",
    { freeze: ["wte", "h.7"] },
    'freeze: "h.7" names no parameter; wanted names like wte.weight',
  ],
  [
    "everything frozen",
    { freeze: ["h", "w*", "ln_f"] },
    "freeze: h, w*, ln_f names every parameter; nothing would train",
  ],
  [
    "a factor for what is frozen",
    { freeze: ["wte"], rateFactors: [{ pattern: "wte", factor: 2 }] },
    '"wte" names no parameter',
  ],
  [
    "a factor of 0",
    { rateFactors: [{ pattern: "wte", factor: 0 }] },
    "wte has 0; wanted a number above 0, or freeze it",
  ],
])("%s is refused", (_, options, message) => {
  expect(() => layoutParameters(config, options)).toThrow(message);
});
