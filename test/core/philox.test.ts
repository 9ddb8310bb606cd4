import { describe, expect, test } from "vitest";
import { fillNormal, permutation, philox } from "../../src/core/philox.ts";
import { shaderSource } from "../../src/kernels/wgsl.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";

const ONES = 0xffffffff;

/** The known answers that Random123, the authors' own library, ships (kat_vectors, philox4x32 10). */
const KNOWN: [counter: [number, number, number, number], key: [number, number], words: number[]][] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [ONES, ONES, ONES, ONES],
    [ONES, ONES],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

test.each(KNOWN)("philox(%j, %j) is what Random123 gives", (counter, key, words) => {
  expect(philox(counter, key)).toEqual(words);
});

describe.each(testAdapters)("%s", (adapter) => {
  test("draws the same bits as the CPU", async () => {
    const gpu = await openTestGpu(adapter);
    const code = `${shaderSource({ shader: ["lib/philox"] })}
      @group(0) @binding(0) var<storage, read> given: array<u32>;
      @group(0) @binding(1) var<storage, read_write> words: array<u32>;
      @compute @workgroup_size(1) fn main(@builtin(workgroup_id) group: vec3u) {
        let at = group.x * 6u;
        let counter = vec4u(given[at], given[at + 1u], given[at + 2u], given[at + 3u]);
        let drawn = philox(counter, vec2u(given[at + 4u], given[at + 5u]));
        for (var i = 0u; i < 4u; i++) { words[group.x * 4u + i] = drawn[i]; }
      }`;
    const cases = [
      ...KNOWN.map(([counter, key]) => [...counter, ...key]),
      [7, 0, 17, 3, 99, 1],
      [1 << 31, 5, 6, 7, 8, 9],
    ];
    const drawn = await runShader(
      gpu.device,
      gpu.wait,
      code,
      Uint32Array.from(cases.flat()),
      cases.length * 4,
      cases.length,
    );
    const wanted = cases.flatMap(([a, b, c, d, k0, k1]) => philox([a!, b!, c!, d!], [k0!, k1!]));
    expect([...drawn]).toEqual(wanted);
  });
});

async function runShader(
  device: GPUDevice,
  wait: <T>(start: () => Promise<T>) => Promise<T>,
  code: string,
  input: Uint32Array<ArrayBuffer>,
  outputs: number,
  groups: number,
): Promise<Uint32Array> {
  const pipeline = device.createComputePipeline({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }) },
  });
  const given = device.createBuffer({ size: input.byteLength, usage: 0x88 });
  const words = device.createBuffer({ size: outputs * 4, usage: 0x84 });
  const staging = device.createBuffer({ size: outputs * 4, usage: 0x9 });
  device.queue.writeBuffer(given, 0, input);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const entries = [given, words].map((buffer, binding) => ({ binding, resource: { buffer } }));
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(groups);
  pass.end();
  encoder.copyBufferToBuffer(words, 0, staging, 0, outputs * 4);
  device.queue.submit([encoder.finish()]);
  await wait(() => staging.mapAsync(1));
  return new Uint32Array(staging.getMappedRange().slice(0));
}

test("normal numbers have mean 0, the deviation asked for, and depend on the seed, stream and item", () => {
  const draw = (seed: number, stream: number, item: number): Float64Array => {
    const data = new Float64Array(20_000);
    fillNormal(data, 0.5, seed, stream, item);
    return data;
  };
  const data = draw(1, 2, 3);
  const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
  const deviation = Math.sqrt(data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length);
  // Four standard errors of each.
  expect(Math.abs(mean)).toBeLessThan((4 * 0.5) / Math.sqrt(data.length));
  expect(Math.abs(deviation - 0.5)).toBeLessThan((4 * 0.5) / Math.sqrt(2 * data.length));
  expect(draw(1, 2, 3)).toEqual(data);
  for (const other of [draw(2, 2, 3), draw(1, 3, 3), draw(1, 2, 4)]) expect(other[0]).not.toBe(data[0]);
});

test("a permutation has every number once and depends on the seed and the epoch", () => {
  const order = permutation(1000, 5, 2, 0);
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  expect(permutation(1000, 5, 2, 0)).toEqual(order);
  expect(permutation(1000, 5, 2, 1)).not.toEqual(order);
  expect(permutation(1000, 6, 2, 0)).not.toEqual(order);
});
