/** The attention that people look at: that of the forward pass, on every device. */
import { describe, expect, test } from "vitest";
import { createTape } from "../../src/autograd/tape.ts";
import { readAttention } from "../../src/generate/attention.ts";
import { attentionOp } from "../../src/kernels/attention.ts";
import { ARENA, readArena, writeArena } from "../../src/model/arena.ts";
import { gpt2TrunkWith } from "../../src/model/gpt2.ts";
import { nearestTokens } from "../../src/model/nearest-tokens.ts";
import { declareParameters } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { testDrivers } from "../support/drivers.ts";
import { smallConfig, smallLayout, smallRuntime } from "../support/small-model.ts";

const IDS = [1, 5, 2, 2, 9, 0, 7, 3, 3, 10, 4];
const T = IDS.length;
const { heads: H, width: C, layers: L, vocabSize: V } = smallConfig;
const D = C / H;

async function exactRuntime() {
  const runtime = createCpuRuntime({ precision: "float64" });
  const single = await smallRuntime("CPU");
  const weights = Float64Array.from(await readArena(single, smallLayout, ARENA.parameters));
  writeArena(runtime, smallLayout, ARENA.parameters, weights);
  return { runtime, weights };
}

test("in float64 the weights are those that attention's own outputs are the sums of", async () => {
  const { runtime } = await exactRuntime();
  const tape = createTape();
  const ids = { dtype: "u32", shape: [T] } as const;
  const given = { tokens: tape.input("tokens", ids), positions: tape.input("positions", ids) };
  const lengths = tape.input("lengths", { dtype: "u32", shape: [1] });
  gpt2TrunkWith(smallConfig, declareParameters(tape, smallLayout), given, (qkv, layer) => {
    const { y } = attentionOp.apply({ qkv, lengths }, { batch: 1, heads: H });
    tape.output(`qkv ${layer}`, qkv);
    tape.output(`y ${layer}`, y);
    return y;
  });
  const program = await runtime.compile(tape);
  const inputs = { tokens: Uint32Array.from(IDS), positions: Uint32Array.from(IDS, (_, i) => i) };
  const results = await program.run({ ...inputs, lengths: Uint32Array.of(T) });
  const layers = await readAttention(runtime, smallConfig, smallLayout, IDS);
  expect(layers.map(({ layer }) => layer)).toEqual([0, 1]);
  for (const { layer, weights } of layers) {
    const [qkv, y] = [results[`qkv ${layer}`]!, results[`y ${layer}`]!];
    for (let h = 0; h < H; h++)
      for (let i = 0; i < T; i++) {
        const row = weights.subarray((h * T + i) * T, (h * T + i + 1) * T);
        expect(row.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6);
        expect([...row.subarray(i + 1)].every((p) => p === 0)).toBe(true);
        for (let d = 0; d < D; d++) {
          let sum = 0;
          for (let j = 0; j <= i; j++) sum += row[j]! * qkv[j * 3 * C + 2 * C + h * D + d]!;
          expect(sum).toBeCloseTo(y[i * C + h * D + d]!, 5);
        }
      }
  }
  expect(layers).toHaveLength(L);
});

describe.each(testDrivers)("on %s", (adapter) => {
  test("attention and nearest tokens are those of the CPU in float64", async () => {
    const { runtime: reference, weights } = await exactRuntime();
    const runtime = await smallRuntime(adapter);
    const wanted = await readAttention(reference, smallConfig, smallLayout, IDS, [1]);
    const [got] = await readAttention(runtime, smallConfig, smallLayout, IDS, [1]);
    let worst = 0;
    for (const [i, p] of got!.weights.entries()) worst = Math.max(worst, Math.abs(p - wanted[0]!.weights[i]!));
    expect(worst).toBeLessThan(2e-5);

    const { offset } = smallLayout.entries.find(({ name }) => name === "wte.weight")!;
    const row = (id: number): Float64Array => weights.subarray(offset + id * C, offset + (id + 1) * C);
    const dot = (a: number, b: number): number => row(a).reduce((sum, x, c) => sum + x * row(b)[c]!, 0);
    const cosines = Array.from({ length: V }, (_, id) => ({
      id,
      similarity: dot(3, id) / Math.sqrt(dot(3, 3) * dot(id, id)),
    }));
    const best = cosines.filter(({ id }) => id !== 3).sort((a, b) => b.similarity - a.similarity);
    const near = await nearestTokens(runtime, smallConfig, smallLayout, 3, 4);
    expect(near.map(({ id }) => id)).toEqual(best.slice(0, 4).map(({ id }) => id));
    for (const [i, { similarity }] of near.entries()) expect(similarity).toBeCloseTo(best[i]!.similarity, 6);
    runtime.close();
  });
});

test("what there is not is refused in one line", async () => {
  const runtime = await smallRuntime("CPU");
  const read = (ids: number[], layers?: number[]) => readAttention(runtime, smallConfig, smallLayout, ids, layers);
  await expect(read([])).rejects.toThrow("attention: the text has no tokens");
  await expect(read(new Array(41).fill(1))).rejects.toThrow(/has 41 tokens, the model's context holds 40/);
  await expect(read([1], [2])).rejects.toThrow(/layer is 2; wanted layers from 0 to 1/);
  await expect(nearestTokens(runtime, smallConfig, smallLayout, 11, 3)).rejects.toThrow(/id is 11, wanted ids from 0/);
});
