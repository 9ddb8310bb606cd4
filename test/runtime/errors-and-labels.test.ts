import { expect, test } from "vitest";
import { createTape } from "../../src/autograd/tape.ts";
import { add } from "../../src/kernels/add.ts";
import { crossEntropy } from "../../src/kernels/cross-entropy.ts";
import { read, write } from "../../src/kernels/dispatch.ts";
import { layerNorm } from "../../src/kernels/layer-norm.ts";
import { defineOp, f32 } from "../../src/kernels/op.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { withDevice } from "../support/device.ts";
import { openBareGpu, testAdapters } from "../support/gpu.ts";

/** An op whose shader is no WGSL, or whose bindings are not those of its shader. */
const broken = defineOp({
  name: "broken",
  inputs: ["x"],
  outputs: ["y"],
  attrs: { code: "" },
  shapes: ({ x }) => ({ y: f32(x.shape) }),
  cpu: () => {},
  gpu: (_inputs, _outputs, { code }) => [
    {
      shader: [{ name: "broken", code }],
      entry: "main",
      bind: [read("x"), write("y")],
      grid: [1, 1, 1],
    },
  ],
  cost: () => ({ flops: 0, bytes: 0 }),
  cases: [],
});

const NO_WGSL = "@compute @workgroup_size(1) fn main() { nonsense }";
const OTHER_BINDINGS = `
  @group(0) @binding(7) var<storage, read_write> z: array<f32>;
  @compute @workgroup_size(1) fn main() { z[0] = 1.0; }`;

function brokenTape(code: string) {
  const tape = createTape();
  tape.output("y", broken.apply({ x: tape.input("x", f32([4])) }, { code }).y);
  return tape;
}

function goodTape(size: number) {
  const tape = createTape();
  const x = tape.input("x", f32([size]));
  tape.output("y", add(x, x));
  return tape;
}

test.each(testAdapters)("%s: an error of one shader never surfaces on another plan", async (adapter) => {
  const gpu = await openBareGpu(adapter);
  const runtime = createGpuRuntime(gpu);
  for (const code of [NO_WGSL, OTHER_BINDINGS]) {
    // all at once: their errors come while the others wait, on one device
    const plans = [goodTape(4), brokenTape(code), goodTape(8), brokenTape(`${code} // again`), goodTape(16)];
    const results = await Promise.allSettled(
      plans.map(async (tape, i) => {
        const program = await runtime.compile(tape);
        return program.run({ x: new Float32Array(4 * 2 ** (i / 2)).fill(i) });
      }),
    );
    expect(results.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    for (const [i, result] of results.entries()) {
      if (result.status === "fulfilled") expect([...result.value.y!]).toEqual(Array(4 * 2 ** (i / 2)).fill(2 * i));
      else expect(result.reason.message).toMatch(/^broken: shader broken, entry main: /);
    }
    // the same error each time that someone asks for it, and none that is left for whoever comes next
    await expect(runtime.compile(brokenTape(code))).rejects.toThrow(/^broken: shader broken, entry main: /);
    gpu.checkErrors();
  }
  runtime.close();
});

test.each(testAdapters)("%s: all that a plan makes has a label", async (adapter) => {
  const gpu = await openBareGpu(adapter);
  const made: Record<string, (string | undefined)[]> = {};
  const note =
    <D extends { label?: string } | undefined, R>(kind: string, make: (descriptor: D) => R) =>
    (descriptor: D): R => {
      made[kind] ??= [];
      made[kind].push(descriptor?.label);
      return make(descriptor);
    };
  const { device } = gpu;
  const labelled = withDevice(gpu, {
    createBuffer: note("buffer", (d: GPUBufferDescriptor) => device.createBuffer(d)),
    createShaderModule: note("module", (d: GPUShaderModuleDescriptor) => device.createShaderModule(d)),
    createBindGroupLayout: note("group layout", (d: GPUBindGroupLayoutDescriptor) => device.createBindGroupLayout(d)),
    createPipelineLayout: note("layout", (d: GPUPipelineLayoutDescriptor) => device.createPipelineLayout(d)),
    createBindGroup: note("group", (d: GPUBindGroupDescriptor) => device.createBindGroup(d)),
    createComputePipelineAsync: note("pipeline", (d: GPUComputePipelineDescriptor) =>
      device.createComputePipelineAsync(d),
    ),
    createQuerySet: note("queries", (d: GPUQuerySetDescriptor) => device.createQuerySet(d)),
    createCommandEncoder: note("encoder", (d?: GPUCommandEncoderDescriptor) => {
      const encoder = device.createCommandEncoder(d);
      const begin = encoder.beginComputePass.bind(encoder);
      encoder.beginComputePass = note("pass", begin) as typeof begin;
      return encoder;
    }),
  } as Partial<GPUDevice>);
  const runtime = createGpuRuntime(labelled);
  const tape = createTape();
  const gain = tape.view(tape.state("parameters", f32([64])), 0, [8]);
  const logits = layerNorm(tape.input("x", f32([3, 8])), gain);
  const labels = tape.constant({ dtype: "i32", shape: [3] }, Int32Array.of(1, 2, 3));
  tape.output("loss", crossEntropy(logits, labels));
  const program = await runtime.compile(tape);
  await program.run({ x: new Float32Array(24) });
  await program.profile?.({ x: new Float32Array(24) });
  await runtime.readState("parameters");
  runtime.clearState("parameters");
  runtime.close();
  for (const [kind, labels] of Object.entries(made)) {
    expect(labels.length, kind).toBeGreaterThan(0);
    for (const label of labels) expect(label, `a ${kind}`).toMatch(/\w/);
  }
  expect(Object.keys(made)).toEqual(
    expect.arrayContaining(["buffer", "module", "pipeline", "group", "encoder", "pass"]),
  );
  expect(made.buffer).toEqual(expect.arrayContaining(["state parameters", "input x", "uniforms", "constant i32 [3]"]));
  expect(made.module).toContain("cross_entropy/forward");
  expect(made.pipeline).toContain("cross_entropy/forward: cross_entropy");
  expect(made.group).toContain("layerNorm: forward");
  expect(made.encoder).toEqual(expect.arrayContaining(["run of loss", "clear state parameters"]));
});
