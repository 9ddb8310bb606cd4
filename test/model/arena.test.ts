import { expect, test } from "vitest";
import { sizeOf } from "../../src/core/shape.ts";
import { ARENA, readArena, statesOf, stretchesOf, writeArena } from "../../src/model/arena.ts";
import { GPT2_PRESETS, gpt2Config } from "../../src/model/config.ts";
import { type LayoutOptions, layoutParameters } from "../../src/model/parameters.ts";

const config = gpt2Config({ vocabSize: 65, contextLength: 16, width: 32, layers: 2, heads: 2 });
const whole = layoutParameters(config);

test.each<[string, LayoutOptions]>([
  ["all in one group", {}],
  ["groups and a frozen part", { freeze: ["h.0", "wpe"], rateFactors: [{ pattern: "h.1", factor: 0.5 }] }],
])("parts hold whole parameters, end to end, and are as large as they may be: %s", (_, options) => {
  const partBytes = 20_000;
  const { entries, size, parts } = layoutParameters(config, { ...options, partBytes });
  expect(parts.length).toBeGreaterThan(4);
  let end = 0;
  for (const part of parts) {
    expect(part.offset).toBe(end);
    end += part.size;
    if (part.tooLarge === undefined) expect(4 * part.size).toBeLessThanOrEqual(partBytes);
  }
  expect(end).toBe(size);
  for (const { offset, shape } of entries) expect(stretchesOf(parts, offset, sizeOf(shape))).toHaveLength(1);
  parts.slice(1).forEach((part, i) => {
    const first = entries.find(({ offset }) => offset === part.offset)!;
    const before = parts[i]!;
    expect(4 * (part.offset - before.offset + sizeOf(first.shape))).toBeGreaterThan(partBytes);
  });
});

test("a parameter that is larger than a part has one of its own, which is named after it", () => {
  const layout = layoutParameters(config, { partBytes: 8192 });
  const names = statesOf(layout, ARENA.m).map(({ name }) => name);
  expect(names[0]).toBe("adam m: wte.weight");
  expect(names).toContain("adam m 2");
  expect(new Set(names).size).toBe(layout.parts.length);
});

test("offsets do not depend on parts, so that neither do checkpoints", () => {
  expect(layoutParameters(config, { partBytes: 8192 }).entries).toEqual(whole.entries);
});

test("a small model has one state for each arena, under the arena's name", () => {
  for (const arena of Object.values(ARENA))
    expect(statesOf(whole, arena)).toEqual([{ name: arena, offset: 0, size: whole.size }]);
});

test("arenas of what trains end with it", () => {
  const layout = layoutParameters(config, { freeze: ["h.1"], partBytes: 20_000 });
  const states = statesOf(layout, ARENA.gradients);
  expect(states.reduce((sum, { size }) => sum + size, 0)).toBe(layout.trained);
  expect(states.length).toBeLessThan(layout.parts.length);
  states.forEach(({ offset }, i) => {
    expect(offset).toBe(layout.parts[i]!.offset);
  });
});

test.each([
  ["gpt2", 2],
  ["gpt2-medium", 6],
  ["gpt2-xl", 25],
] as const)("%s lies in %d parts of at most 256 MiB, but for an embedding that is larger", (name, count) => {
  const { parts } = layoutParameters(GPT2_PRESETS[name]);
  expect(parts).toHaveLength(count);
  const tooLarge = parts.filter(({ size }) => 4 * size > 2 ** 28).map((part) => part.tooLarge);
  expect(tooLarge).toEqual(name === "gpt2-xl" ? ["wte.weight"] : []);
});

test("what is written over the ends of parts is read over them", async () => {
  const layout = layoutParameters(config, { partBytes: 8192 });
  const states = new Map(statesOf(layout, ARENA.parameters).map(({ name, size }) => [name, new Float32Array(size)]));
  const store = {
    declareState() {},
    writeState: (name: string, data: ArrayLike<number>, offset = 0) => states.get(name)!.set(data, offset),
    readState: async (name: string, offset = 0, length = 0) => states.get(name)!.slice(offset, offset + length),
  };
  const numbers = Float32Array.from({ length: layout.size }, (_, i) => i);
  writeArena(store, layout, ARENA.parameters, numbers.subarray(1000), 1000);
  writeArena(store, layout, ARENA.parameters, numbers.subarray(0, 1000));
  expect(await readArena(store, layout, ARENA.parameters)).toEqual(numbers);
  expect(await readArena(store, layout, ARENA.parameters, 700, 9000)).toEqual(numbers.slice(700, 9700));
  expect(await readArena(store, layout, ARENA.parameters, 9000)).toEqual(numbers.slice(9000));
  for (const offset of [1, -1, Number.NaN])
    expect(() => writeArena(store, layout, ARENA.parameters, numbers, offset)).toThrow(
      `${layout.size} numbers from ${offset} on do not fit; are they of this layout?`,
    );
});
