import { describe, expect, test } from "vitest";
import type { Gpu } from "../../src/gpu/device.ts";
import { type AttentionAttrs, attentionOp } from "../../src/kernels/attention.ts";
import { gpuKernelOf } from "../../src/kernels/gpu/index.ts";
import { variantNamed } from "../../src/kernels/gpu/matmul/variants.ts";
import { layerNormAllBackwardOp } from "../../src/kernels/layer-norm-all.ts";
import { matmulOp } from "../../src/kernels/matmul.ts";
import { f32 } from "../../src/kernels/op.ts";
import { DEFAULT_TRAITS, type Traits } from "../../src/kernels/traits.ts";
import { registersOf } from "../../src/runtime/registers.ts";
import { checkOp } from "../support/check.ts";

// Architectures as Dawn names them; a browser that does not tell has empty strings.
test.each([
  ["nvidia", "hopper", 32, 32, { sumsHeld: 64, fewRegisters: false, attentionByTiles: true }],
  ["4318", "", 0, 0, { sumsHeld: 64, fewRegisters: false, attentionByTiles: true }],
  ["amd", "rdna-3", 32, 64, { sumsHeld: 64, fewRegisters: false }],
  ["amd", "gcn-5", 64, 64, { sumsHeld: 32, fewRegisters: true }],
  ["apple", "metal-3", 32, 32, { sumsHeld: 64, fewRegisters: true }],
  ["arm", "valhall", 16, 16, { sumsHeld: 16, fewRegisters: true }],
  ["qualcomm", "adreno-7xx", 64, 128, { sumsHeld: 32, fewRegisters: true }],
  ["intel", "gen-12lp", 8, 32, { sumsHeld: 32, fewRegisters: true, roomySubgroup: 8, attentionByTiles: true }],
  ["intel", "xe-2hpg", 16, 32, { sumsHeld: 32, fewRegisters: true, roomySubgroup: 16, attentionByTiles: true }],
  ["", "", 0, 0, { sumsHeld: 32, fewRegisters: true }],
] as const)("%s %s", (vendor, architecture, subgroupMinSize, subgroupMaxSize, wanted) => {
  expect(registersOf({ vendor, architecture, subgroupMinSize, subgroupMaxSize }, true)).toEqual(wanted);
});

test("where Intel's driver chooses the size of subgroups, an invocation may have half as many registers", () => {
  const adapter = { vendor: "intel", architecture: "gen-9", subgroupMinSize: 8, subgroupMaxSize: 32 };
  expect(registersOf(adapter, false)).toEqual({ sumsHeld: 16, fewRegisters: true });
});

const INTEL: Traits = {
  ...DEFAULT_TRAITS,
  ...{ subgroups: true, subgroupSizeControl: true, subgroupMinSize: 8, subgroupMaxSize: 32 },
  ...{ sumsHeld: 32, fewRegisters: true, roomySubgroup: 8, attentionByTiles: true },
  ...{ maxInvocations: 1024, maxWorkgroupBytes: 65536 },
};
const attention = {
  qkv: f32([128, 192]),
  lengths: { dtype: "u32", shape: [1] },
  step: { dtype: "u32", shape: [8] },
} as const;

describe("kernels that hold much ask for the smallest subgroups", () => {
  const product = (traits: Traits, variant = "auto", rows = 128) =>
    gpuKernelOf(matmulOp).gpu(
      { a: f32([rows, 64]), b: f32([64, 128]) },
      { y: f32([rows, 128]) },
      { ...matmulOp.attrs, variant },
      traits,
    )[0]!;

  test("products in blocks, on an adapter where that gains something", () => {
    expect(product(INTEL).subgroupSize).toBe(8);
    expect(product(INTEL, "naive").subgroupSize).toBeUndefined();
    expect(product({ ...INTEL, roomySubgroup: undefined }).subgroupSize).toBeUndefined();
  });

  test("none where the workgroup is no multiple of it, which WebGPU refuses", () => {
    const xe2 = { ...INTEL, subgroupMinSize: 16, roomySubgroup: 16 };
    expect(variantNamed("registers").invocations).toBe(8);
    expect(product(xe2, "registers").subgroupSize).toBeUndefined();
    expect(product(xe2, "registers-wide").subgroupSize).toBe(16);
  });

  test("attention, by tiles of blocks of 4 x 4 there, and LayerNorm's gradient", () => {
    const attrs = { ...attentionOp.attrs, batch: 1, heads: 1 };
    const { gpu } = gpuKernelOf(attentionOp);
    const [forward] = gpu(attention, { y: f32([128, 64]), logSumExp: f32([128]) }, attrs, INTEL);
    expect(forward).toMatchObject({ entry: "tile_forward", subgroupSize: 8, sizes: { WORKGROUP: 256 } });
    const [quads] = gpu(attention, { y: f32([128, 64]), logSumExp: f32([128]) }, { ...attrs, variant: "quads" }, INTEL);
    expect(quads).toMatchObject({ entry: "forward", subgroupSize: 8 });
    const x = f32([64, 64]);
    const one = f32([64]);
    const [rows] = gpuKernelOf(layerNormAllBackwardOp).gpu(
      { x, gain: one, mean: one, rstd: one, dy: x },
      { dx: x, dgain: one, dbias: one, dxSum: one },
      {},
      INTEL,
    );
    expect(rows!.subgroupSize).toBe(8);
  });
});

test("attention of NVIDIA's GPUs goes by tiles, and by rows where workgroup memory has no room for them", () => {
  const attrs = { ...attentionOp.attrs, batch: 1, heads: 1 };
  const nvidia = {
    ...DEFAULT_TRAITS,
    subgroups: true,
    quads: true,
    subgroupMinSize: 32,
    subgroupMaxSize: 32,
    attentionByTiles: true,
  };
  const forward = (maxWorkgroupBytes: number, variant: AttentionAttrs["variant"] = "auto") =>
    gpuKernelOf(attentionOp).gpu(
      attention,
      { y: f32([128, 64]), logSumExp: f32([128]) },
      { ...attrs, variant },
      {
        ...nvidia,
        maxInvocations: 1024,
        maxWorkgroupBytes,
      },
    )[0]!;
  expect(forward(49152)).toMatchObject({ entry: "tile_forward", sizes: { WORKGROUP: 256 } });
  expect(forward(32768)).toMatchObject({ entry: "tile_forward", sizes: { WORKGROUP: 128 } });
  expect(forward(16384).entry).toBe("forward");
  // What was asked for and cannot be, as by what was measured elsewhere, is what it would be without; what can be is what was asked for.
  expect(forward(49152, "matrices")).toMatchObject({ entry: "tile_forward", sizes: { WORKGROUP: 256 } });
  expect(forward(32768, "tiles64-widest")).toMatchObject({ entry: "tile_forward", sizes: { WORKGROUP: 128 } });
  expect(forward(49152, "quads").entry).toBe("forward");
  expect(forward(49152, "rows").entry).toBe("forward");
});

test("without subgroups, where registers are few, attention goes by tiles, if workgroup memory has room for them", () => {
  const entry = (traits: Partial<Traits>) => {
    const attrs = { ...attentionOp.attrs, batch: 1, heads: 1 };
    const all = { ...DEFAULT_TRAITS, ...traits };
    return gpuKernelOf(attentionOp).gpu(attention, { y: f32([128, 64]), logSumExp: f32([128]) }, attrs, all)[0]!.entry;
  };
  expect(entry({ fewRegisters: true, maxWorkgroupBytes: 49152 })).toBe("tile_forward");
  expect(entry({ fewRegisters: true, maxWorkgroupBytes: 32768 })).toBe("tile_forward");
  expect(entry({ fewRegisters: true })).toBe("forward");
  expect(entry({ fewRegisters: false, maxWorkgroupBytes: 49152 })).toBe("forward");
});

// The drivers of the tests have one size, and still are asked for it.
describe("asked for on a driver", () => {
  const traits = (gpu: Gpu): Partial<Traits> => ({
    sumsHeld: 32,
    fewRegisters: true,
    roomySubgroup: gpu.info.subgroupMinSize,
  });
  const cases = [{ inputs: { a: f32([70, 36]), b: f32([36, 68]) } }];
  checkOp({ ...matmulOp, cases: [] }, { gpuCases: cases, traits });
  const qkv = f32([40, 96]);
  const lengths = { dtype: "u32", shape: [1], values: [37] } as const;
  checkOp(
    { ...attentionOp, cases: [] },
    { gpuCases: [{ inputs: { qkv, lengths }, attrs: { batch: 1, heads: 1, variant: "quads" } }], traits },
  );
});
