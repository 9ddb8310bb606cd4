import { expect, test } from "vitest";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { attentionOp } from "../../src/kernels/attention.ts";
import { matmulOp } from "../../src/kernels/matmul.ts";
import { type AnyOp, f32, type OpCase } from "../../src/kernels/op.ts";
import type { Traits } from "../../src/kernels/traits.ts";
import { compareOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { trainTiny } from "../browser/tiny.ts";
import { withDevice } from "../support/device.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";

/** A device that compiles no pipeline of shaders whose names fit, as a driver with a bug does. */
function refusing(gpu: Gpu, names: RegExp): Gpu & { readonly refused: Set<string> } {
  const refused = new Set<string>();
  const createComputePipelineAsync = async (descriptor: GPUComputePipelineDescriptor): Promise<GPUComputePipeline> => {
    if (!names.test(descriptor.label!)) return gpu.device.createComputePipelineAsync(descriptor);
    refused.add(descriptor.label!);
    throw new Error("the driver's compiler gave up\nand says more of it");
  };
  return { ...withDevice(gpu, { createComputePipelineAsync }), refused };
}

const product: OpCase = { inputs: { a: f32([33, 20]), b: f32([20, 36]) } };
const attention: OpCase = {
  inputs: { qkv: f32([8, 96]), lengths: { dtype: "u32", shape: [1], values: [7] } },
  attrs: { batch: 1, heads: 1 },
};

/** What an op is computed by where some kernels do not compile. */
async function without(gpu: Gpu, names: RegExp, traits: Partial<Traits>, op: AnyOp, check: OpCase) {
  const lines: string[] = [];
  const device = refusing(gpu, names);
  const runtime = createGpuRuntime(device, traits, { notice: (line) => void lines.push(line) });
  try {
    // Twice at once: both plans meet the refusal, which is told once.
    const both = [1, 2].map((seed) => compareOp(runtime, createCpuRuntime({ precision: "float64" }), op, check, seed));
    for (const { error } of await Promise.all(both)) expect(error).toBeLessThan(1e-5);
    expect(device.refused.size).toBeGreaterThan(0);
    return { lines, left: runtime.traits.without };
  } finally {
    runtime.close();
  }
}

const matmulAny = matmulOp as unknown as AnyOp;
const attentionAny = attentionOp as unknown as AnyOp;

test.each(testAdapters)(
  "on %s, what does not compile gives way to the next, and is told in one line",
  async (adapter) => {
    const gpu = await openTestGpu(adapter);
    const { lines, left } = await without(gpu, /matmul\/software\/subgroup/, {}, matmulAny, product);
    expect(left?.length).toBeGreaterThan(0);
    expect(lines).toEqual(
      left!.map((name) => expect.stringContaining(`does not compile ${name}, which is left out: `)),
    );
    for (const line of lines) expect(line).toMatch(/the driver's compiler gave up$/);
    expect((await without(gpu, /matmul\/(?!naive)/, {}, matmulAny, product)).left).toContain("matmul registers");
    const panels = await without(gpu, /matmul\//, {}, attentionAny, attention);
    expect(panels.left).toEqual(["attention products"]);
  },
);

test.each(testAdapters)(
  "on %s, a variant that was asked for by its name is refused, and so is an op without others",
  async (adapter) => {
    const gpu = await openTestGpu(adapter);
    for (const [names, attrs] of [
      [/matmul\/naive/, { variant: "naive" }],
      [/matmul\//, {}],
    ] as const) {
      const runtime = createGpuRuntime(refusing(gpu, names));
      await expect(compareOp(runtime, createCpuRuntime(), matmulAny, { ...product, attrs })).rejects.toThrow(
        /^matmul: shader matmul\/naive, entry matmul: .*the driver's compiler gave up/,
      );
      runtime.close();
    }
  },
);

test.runIf(testAdapters.includes("embedded"))("attention on a GPU goes from quads to rows and to panels", async () => {
  const gpu = await openTestGpu("embedded");
  const hardware = { software: false };
  const quads = /^attention\/gpu\/(forward|backward)/;
  let refusals = 0;
  const first = withDevice(gpu, {
    createComputePipelineAsync: async (descriptor) => {
      if (quads.test(descriptor.label!) && refusals++ === 0) throw new Error("once");
      return gpu.device.createComputePipelineAsync(descriptor);
    },
  });
  const runtime = createGpuRuntime(first, hardware);
  const { error } = await compareOp(runtime, createCpuRuntime({ precision: "float64" }), attentionAny, attention);
  expect(error).toBeLessThan(1e-5);
  expect(runtime.traits.without).toEqual(["attention quads"]);
  runtime.close();
  const { left } = await without(gpu, quads, hardware, attentionAny, attention);
  expect(left).toEqual(["attention quads", "attention rows"]);
});

test.each(testAdapters.slice(0, 1))("on %s, a whole run trains without them", async (adapter) => {
  const gpu = await openTestGpu(adapter);
  const train = async (device: Gpu) => {
    const runtime = createGpuRuntime(device);
    const run = await trainTiny(runtime);
    runtime.close();
    return run;
  };
  const refuses = refusing(gpu, /matmul\/software\/subgroup/);
  const [whole, cut] = [await train(gpu), await train(refuses)];
  expect(refuses.refused.size).toBeGreaterThan(0);
  expect(relativeL2(cut.losses, whole.losses)).toBeLessThan(1e-5);
});
