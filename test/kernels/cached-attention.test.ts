import { describe, expect, test } from "vitest";
import { FORMATS, type NumericArray } from "../../src/core/dtype.ts";
import { LARGEST_HALF, roundToHalf } from "../../src/core/half.ts";
import { philox } from "../../src/core/philox.ts";
import { attentionCase, cacheAppendOp, cacheCase, cachedAttentionOp } from "../../src/kernels/cached-attention.ts";
import { cacheTypes } from "../../src/kernels/layer-cache.ts";
import { type AnyOp, f32, type OpCase } from "../../src/kernels/op.ts";
import { runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { checkOp } from "../support/check.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";
import { wasmRuntime } from "../support/wasm.ts";

const gpuCases = [
  attentionCase(2, 64, 130, [0, 1, 63, 64, 127, 128, 129], [3, 3, 3, 6, 6, 6, 6]),
  attentionCase(1, 128, 9, [8, 5]),
  attentionCase(3, 1, 6, [5]),
];

const halfCases = [
  attentionCase(2, 64, 130, [0, 1, 63, 64, 127, 128, 129], [3, 3, 3, 6, 6, 6, 6], "f16"),
  attentionCase(1, 128, 9, [8, 5], undefined, "f16"),
  attentionCase(3, 1, 6, [5], undefined, "f16"),
  attentionCase(2, 65, 140, [139, 70], undefined, "f16"),
];

const byteCases = [
  attentionCase(2, 64, 130, [0, 1, 63, 64, 127, 128, 129], [3, 3, 3, 6, 6, 6, 6], "i8"),
  attentionCase(1, 128, 9, [8, 5], undefined, "i8"),
  attentionCase(3, 1, 6, [5], undefined, "i8"),
  attentionCase(2, 65, 140, [139, 70], undefined, "i8"),
  attentionCase(1, 6, 40, [39, 2], undefined, "i8"),
];

checkOp(cachedAttentionOp, { gpuCases: [...gpuCases, ...halfCases, ...byteCases] });
checkOp(cacheAppendOp);

describe("prompts that do not fit one binding", () => {
  const cacheRows = { dtype: "u32", shape: [2], values: [2, 0] } as const;
  const inputs = { qkv: f32([22, 96]), cacheRows, ...cacheTypes(3, 11, 2, 16) };
  const halves = { qkv: f32([22, 96]), cacheRows, ...cacheTypes(3, 11, 2, 16, "f16") };
  const bytes = { qkv: f32([22, 96]), cacheRows, ...cacheCase(3, 11, 2, 16, "i8") };
  const gpuCases = [{ inputs }, { inputs: halves }, { inputs: bytes }];
  checkOp({ ...cacheAppendOp, cases: [] }, { gpuCases, traits: { maxBindingBytes: 4352 } });
});

describe("as on a hardware GPU, folded grids", () => {
  // 512 positions at a time, and some that end a turn, begin the next, or leave a part of it.
  const long = FORMATS.map((format) => attentionCase(1, 8, 600, [599, 511, 512, 3], [0, 0, 0, 0], format));
  const all = [...gpuCases, ...halfCases, ...byteCases, ...long];
  checkOp(cachedAttentionOp, { gpuCases: all, traits: { software: false, maxGroupsPerDimension: 4 } });
});

/** Numbers of all sizes by their bits, and those beside what a rounding to f16 turns on. */
const TURNS = [
  ...[
    0,
    2 ** -24,
    2 ** -25,
    3 * 2 ** -25,
    2 ** -14,
    2 ** -14 - 2 ** -24,
    2 ** -14 - 2 ** -25,
    1 + 2 ** -11,
    1 + 3 * 2 ** -11,
  ],
  ...[2 - 2 ** -11, 2047.5, 2048.5, LARGEST_HALF, 65519, 65520, 65536, 3e38, 1e-45, Infinity, NaN],
];
const NUMBERS = Float32Array.from([
  ...TURNS.flatMap((x) => [x, -x].flatMap((x) => [x, x * (1 + 2 ** -23), x * (1 - 2 ** -24)])),
  ...new Float32Array(Uint32Array.from({ length: 4096 }, (_, i) => philox([i, 0, 7, 0], [1, 0])[0]).buffer),
  // of the sizes that f16 has, each of them many times
  ...Array.from({ length: 4096 }, (_, i) => ((i % 2) * 2 - 1) * (1 + i / 4096) * 2 ** ((i % 44) - 27)),
]);

describe("keys and values in f16 are the nearest, ties to even, and no number where f16 holds none", () => {
  const [H, D] = [2, 3];
  const rows = Math.ceil(NUMBERS.length / (2 * H * D));
  const qkv = Float32Array.from({ length: rows * 3 * H * D }, (_, i) => {
    const [row, column] = [Math.floor(i / (3 * H * D)), (i % (3 * H * D)) - H * D];
    return column < 0 ? 1 : (NUMBERS[row * 2 * H * D + column] ?? 0);
  });
  const wanted = (x: number): number => (Math.abs(x) < 65520 ? roundToHalf(x) : Number.NaN);
  const given = { ...f32([rows, 3 * H * D]), values: Array.from(qkv) };
  const one = (values: number[]) => ({ dtype: "u32", shape: [values.length], values }) as const;
  const appended: OpCase = { inputs: { qkv: given, cacheRows: one([0]), ...cacheTypes(1, rows, H, D, "f16") } };
  const firsts = one(Array(rows).fill(0));
  const table = { dtype: "u32", shape: [rows, 1], values: Array(rows).fill(0) } as const;
  const decoded: OpCase = {
    inputs: { qkv: given, positions: firsts, table, ...cacheTypes(rows, 1, H, D, "f16") },
  };

  test.each([...testAdapters, "CPU", "CPU in float64"] as const)("%s", async (on) => {
    const precision = on === "CPU" ? "float32" : "float64";
    const runtime =
      on === "CPU" || on === "CPU in float64"
        ? createCpuRuntime({ precision })
        : createGpuRuntime(await openTestGpu(on));
    const after = await runOp(runtime, cacheAppendOp as unknown as AnyOp, appended);
    const single = await runOp(runtime, cachedAttentionOp as unknown as AnyOp, decoded);
    const got = { qkv: [] as number[], append: [] as number[], attend: [] as number[] };
    const all: number[] = [];
    for (let row = 0; row < rows; row++) {
      for (let h = 0; h < H; h++) {
        for (let d = 0; d < 4; d++) {
          const [key, value] = [((h * 2 + (d >> 1)) * rows + row) * 2 + (d % 2), (h * rows + row) * 4 + d];
          const own = ((row * H + h) * 2 + (d >> 1)) * 2 + (d % 2);
          got.append.push(after.keysAfter![key]!, after.valuesAfter![value]!);
          got.attend.push(single.keysAfter![own]!, single.valuesAfter![own]!);
          const [k, v] = [1, 2].map((part) => ((row * 3 + part) * H + h) * D + d);
          got.qkv.push(d < D ? after.qkvAfter![k!]! : 0, d < D ? after.qkvAfter![v!]! : 0);
          all.push(...(d < D ? [wanted(qkv[k!]!), wanted(qkv[v!]!)] : [0, 0]));
        }
      }
    }
    expect(got.append).toEqual(all);
    expect(got.attend).toEqual(all);
    expect(got.qkv).toEqual(all);
    // Queries are as they were.
    expect(after.qkvAfter!.filter((_, i) => i % (3 * H * D) < H * D).every((x) => x === 1)).toBe(true);
    runtime.close();
  });
});

describe("keys and values in i8 are the same words on every device, and no number where one of them is none", () => {
  const [H, D] = [2, 6];
  // Heads of numbers of all kinds, and heads of like sizes, as a model has them.
  const like = Float32Array.from(
    { length: 6000 },
    (_, i) => (NUMBERS[i % 97]! > 0 ? 1 : -1) * Math.sin(i) * 2 ** ((i % 7) / 2),
  );
  const numbers = [...NUMBERS, ...like, ...Array(12).fill(0), ...Array(12).fill(1e-32), ...Array(12).fill(-3.4e38)];
  const rows = Math.ceil(numbers.length / (2 * H * D));
  const qkv = Array.from({ length: rows * 3 * H * D }, (_, i) => {
    const [row, column] = [Math.floor(i / (3 * H * D)), (i % (3 * H * D)) - H * D];
    return column < 0 ? 1 : (numbers[row * 2 * H * D + column] ?? 0);
  });
  const given = { ...f32([rows, 3 * H * D]), values: qkv };
  const zeros = { dtype: "u32", shape: [rows], values: Array(rows).fill(0) } as const;
  const appended: OpCase = {
    inputs: { qkv: given, cacheRows: { ...zeros, shape: [1], values: [0] }, ...cacheCase(1, rows, H, D, "i8") },
  };
  const decoded: OpCase = {
    inputs: { qkv: given, positions: zeros, table: { ...zeros, shape: [rows, 1] }, ...cacheCase(rows, 1, H, D, "i8") },
  };
  const cases = [
    [cacheAppendOp, appended, ["keysAfter", "valuesAfter", "qkvAfter"]],
    [cachedAttentionOp, decoded, ["keysAfter", "valuesAfter"]],
  ] as const;

  test.each([...testAdapters, "WebAssembly", "CPU in float64"] as const)("%s", async (on) => {
    for (const [op, one, names] of cases) {
      const runtime =
        on === "CPU in float64"
          ? createCpuRuntime({ precision: "float64" })
          : on === "WebAssembly"
            ? await wasmRuntime()
            : createGpuRuntime(await openTestGpu(on));
      const [got, wanted] = [
        await runOp(runtime, op as unknown as AnyOp, one),
        await runOp(createCpuRuntime(), op as unknown as AnyOp, one),
      ];
      // A step times a whole number is a float32, exactly in float64, too, where it is not rounded.
      const plain = (name: string, data: NumericArray) => (name === "qkvAfter" ? Float32Array : Uint32Array).from(data);
      for (const name of names) expect(plain(name, got[name]!), name).toEqual(plain(name, wanted[name]!));
      runtime.close();
    }
  });

  test("within half a step of what they were, the largest of them within 127", async () => {
    const { qkvAfter } = await runOp(createCpuRuntime(), cacheAppendOp as unknown as AnyOp, appended);
    const heads = Array.from({ length: rows * 3 * H }, (_, i) => i).filter((i) => i % (3 * H) >= H);
    let [finite, none] = [0, 0];
    const bad: number[] = [];
    for (const head of heads) {
      const [before, after] = [qkv, qkvAfter!].map((all) => Array.from(all.slice(head * D, (head + 1) * D)));
      const highest = Math.max(...before!.map(Math.abs));
      if (Number.isFinite(highest)) finite++;
      else none++;
      const half = (highest / 254) * (17 / 16) * (1 + 1e-6) + 2 ** -100;
      const isRight = (x: number, d: number): boolean =>
        Number.isFinite(highest) ? Math.abs(after![d]! - x) <= half : Number.isNaN(after![d]);
      if (!before!.every(isRight)) bad.push(head);
    }
    expect(bad).toEqual([]);
    expect(Math.min(finite, none)).toBeGreaterThan(10);
  });
});
