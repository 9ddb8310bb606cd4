import type { Gpu } from "../../src/gpu/device.ts";
import { withDevice } from "./device.ts";

/** No dispatch of a test has more workgroups, and none of them more memory. */
const GROUPS = 64;
const GROUP_BYTES = 49152;
// GPUBufferUsage.STORAGE and GPUShaderStage.COMPUTE; the constants' globals are missing in Node.
const STORAGE = 0x80;
const COMPUTE = 4;
/** A binding that no shader has. */
const BINDING = 14;

/**
 * `gpu` as if its workgroups had 48 KiB of memory, where attention by tiles keeps them: in a storage buffer, a stretch for each workgroup.
 * Every place in it is computed by the shader under test.
 */
export function withTileMemory(gpu: Gpu): Gpu {
  const { device } = gpu;
  const buffer = device.createBuffer({ size: GROUPS * GROUP_BYTES, usage: STORAGE });
  return withDevice(gpu, {
    createShaderModule: ({ code }) => device.createShaderModule({ code: rewritten(code) }),
    createBindGroupLayout: ({ entries, ...rest }) => {
      const memory: GPUBindGroupLayoutEntry = { binding: BINDING, visibility: COMPUTE };
      return device.createBindGroupLayout({
        ...rest,
        entries: [...entries, { ...memory, buffer: { type: "storage" } }],
      });
    },
    createBindGroup: ({ entries, ...rest }) =>
      device.createBindGroup({ ...rest, entries: [...entries, { binding: BINDING, resource: { buffer } }] }),
  });
}

function rewritten(code: string): string {
  const declared = /var<workgroup> tiles: (.*);/;
  if (!declared.test(code)) return code;
  return code
    .replace(/\btiles\[/g, "tiles_of[this_group][")
    .replace(
      declared,
      `@group(0) @binding(${BINDING}) var<storage, read_write> tiles_of: array<$1>;\nvar<private> this_group: u32;`,
    )
    .replace(/workgroupBarrier\(\);/g, "workgroupBarrier(); storageBarrier();")
    .replace(/let place = tile_place/, "this_group = linear_group(group, groups);\n  $&");
}
