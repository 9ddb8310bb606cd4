import type { BufferPool } from "../gpu/buffers.ts";
import type { Gpu } from "../gpu/device.ts";
import type { DispatchTime } from "./runtime.ts";

/** One dispatch as it is timed. */
export interface TimedStep {
  readonly node: number;
  readonly op: string;
  readonly entry: string;
  encode(pass: GPUComputePassEncoder): void;
}

/** Queries that a set may have, by the specification. */
const MOST_QUERIES = 4096;
const TICK_BYTES = 8;

/** Encodes each dispatch in a pass of its own between two timestamps, submits, and gives the times in order. */
export async function timeSteps(gpu: Gpu, buffers: BufferPool, steps: readonly TimedStep[]): Promise<DispatchTime[]> {
  const times: DispatchTime[] = [];
  const most = MOST_QUERIES / 2;
  for (let at = 0; at < steps.length; at += most) {
    times.push(...(await timeSome(gpu, buffers, steps.slice(at, at + most))));
  }
  return times;
}

async function timeSome(gpu: Gpu, buffers: BufferPool, steps: readonly TimedStep[]): Promise<DispatchTime[]> {
  const { device } = gpu;
  const queries = device.createQuerySet({ label: "timestamps", type: "timestamp", count: 2 * steps.length });
  const bytes = 2 * steps.length * TICK_BYTES;
  const resolved = buffers.createQueryTarget("timestamps", bytes);
  const staging = buffers.createReadback("timestamps", bytes);
  const encoder = device.createCommandEncoder({ label: "profile" });
  steps.forEach((step, i) => {
    const timestampWrites = { querySet: queries, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
    const pass = encoder.beginComputePass({ label: `${step.op} ${step.entry}`, timestampWrites });
    step.encode(pass);
    pass.end();
  });
  encoder.resolveQuerySet(queries, 0, 2 * steps.length, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes);
  device.queue.submit([encoder.finish()]);
  await gpu.wait(() => staging.mapAsync(1 /* GPUMapMode.READ */));
  const ticks = new BigUint64Array(staging.getMappedRange().slice(0));
  staging.unmap();
  queries.destroy();
  buffers.destroy(resolved);
  buffers.destroy(staging);
  return steps.map(({ node, op, entry }, i) => ({
    node,
    op,
    entry,
    microseconds: Number(ticks[2 * i + 1]! - ticks[2 * i]!) / 1000,
  }));
}
