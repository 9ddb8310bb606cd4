import type { Node, Tape } from "../autograd/tape.ts";
import { allocate, BYTES_PER_ELEMENT, type NumericArray } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import type { BufferPool, Region } from "../gpu/buffers.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Pipelines } from "../gpu/pipelines.ts";
import { type Dispatch, type Scratch, shaderSource } from "../kernels/dispatch.ts";
import type { TensorType, Value } from "../kernels/op.ts";
import type { Traits } from "../kernels/traits.ts";
import { checkInputs } from "./inputs.ts";
import { assignSlots, type Lifetime, lifetimesOf } from "./memory.ts";
import { timeSteps } from "./profile.ts";
import { createReadback } from "./readback.ts";
import type { DispatchTime, Program, Tensors } from "./runtime.ts";
import type { SlotPool } from "./slots.ts";

/** What a plan is compiled with: the parts of a GPU runtime. */
export interface PlanContext {
  readonly gpu: Gpu;
  readonly traits: Traits;
  readonly pipelines: Pipelines;
  readonly buffers: BufferPool;
  readonly slots: SlotPool;
  stateBuffer(name: string, type: TensorType): GPUBuffer;
  stateBytes(): number;
}

interface Step {
  readonly op: string;
  readonly entry: string;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly grid: readonly [number, number, number];
}

/**
 * Compiles a tape once: memory from lifetimes, pipelines concurrently, bind groups made once.
 * A run writes the inputs, encodes the same dispatches again and submits once.
 */
export async function compilePlan(tape: Tape, context: PlanContext): Promise<Program> {
  const { gpu, pipelines, buffers } = context;
  const owned: OwnedMemory = { buffers: [], slots: undefined };
  const dispatches = tape.nodes.map((node) => dispatchesOf(node, context.traits));
  const scratches = tape.nodes.map((node) => node.op.scratch?.(node.inputs, node.attrs, context.traits) ?? {});
  const regionOf = placeValues(tape, scratches, context, owned);

  const steps = await Promise.all(
    tape.nodes.flatMap((node, at) =>
      dispatches[at]!.map(async (dispatch): Promise<Step> => {
        const access = dispatch.bind.map((binding) => (binding.access === "read" ? "r" : "w")).join("");
        const spec = { source: shaderSource(dispatch), entry: dispatch.entry, constants: dispatch.constants, access };
        const regions = dispatch.bind.map((binding): Region => {
          const region = regionOf(at, node, binding.tensor);
          if (!binding.span) return region;
          const { offset, length } = binding.span;
          return {
            buffer: region.buffer,
            offset: region.offset + offset * BYTES_PER_ELEMENT,
            size: length * BYTES_PER_ELEMENT,
          };
        });
        checkDispatch(node, dispatch, regions, context.traits);
        const pipeline = await pipelines.get(spec).catch((error: unknown) => {
          throw new Error(`${node.op.name}: ${(error as Error).message}`);
        });
        const bindGroup = gpu.device.createBindGroup({
          layout: pipelines.layoutOf(access),
          entries: regions.map((resource, binding) => ({ binding, resource })),
        });
        return { op: node.op.name, entry: dispatch.entry, pipeline, bindGroup, grid: dispatch.grid };
      }),
    ),
  );

  const results = [...tape.outputs].map(([name, value]) => ({ name, value, region: regionOf.value(value) }));
  const readback = createReadback(gpu, buffers, results);
  const transientBytes = memoryOf(owned).reduce((sum, buffer) => sum + buffer.size, 0) + readback.bytes;
  function writeInputs(inputs: Tensors): void {
    for (const [value, data] of checkInputs(tape, inputs)) {
      const { buffer, offset } = regionOf.value(value);
      gpu.device.queue.writeBuffer(buffer, offset, asGpuArray(value, data));
    }
  }

  const profile = async (inputs: Tensors): Promise<DispatchTime[]> => {
    writeInputs(inputs);
    const timed = steps.map((step) => ({ ...step, encode: (pass: GPUComputePassEncoder) => encode(pass, [step]) }));
    return timeSteps(gpu, buffers, timed);
  };

  return {
    stats: { stateBytes: context.stateBytes(), transientBytes, dispatches: steps.length, pipelines: pipelines.count },
    async run(inputs) {
      writeInputs(inputs);
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      encode(pass, steps);
      pass.end();
      const slot = readback.encode(encoder);
      gpu.device.queue.submit([encoder.finish()]);
      gpu.checkErrors();
      return slot ? slot.read() : {};
    },
    ...(gpu.features.has("timestamp-query") ? { profile } : {}),
    dispose() {
      for (const buffer of owned.buffers) buffers.destroy(buffer);
      owned.slots?.release();
      readback.dispose();
    },
  };
}

function encode(pass: GPUComputePassEncoder, steps: readonly Step[]): void {
  let current: GPUComputePipeline | undefined;
  for (const { pipeline, bindGroup, grid } of steps) {
    if (pipeline !== current) pass.setPipeline(pipeline);
    current = pipeline;
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
  }
}

/** An op's dispatches, without the empty ones (tensors without elements). */
function dispatchesOf(node: Node, traits: Traits): Dispatch[] {
  const all = node.op.gpu(node.inputs, node.outputs, node.attrs, traits);
  return all.filter((dispatch) => dispatch.grid.every((groups) => groups > 0));
}

interface RegionOf {
  (at: number, node: Node, tensor: string): Region;
  value(value: Value): Region;
}

/** The memory of one plan: buffers of its own, and slots that it shares with the runtime's other plans. */
interface OwnedMemory {
  readonly buffers: GPUBuffer[];
  slots: ReturnType<SlotPool["take"]> | undefined;
}

function memoryOf({ buffers, slots }: OwnedMemory): GPUBuffer[] {
  return [...buffers, ...(slots?.buffers ?? [])];
}

/** Finds memory for every value and scratch tensor; what is taken for this plan is noted in `owned`. */
function placeValues(
  tape: Tape,
  scratches: readonly Readonly<Record<string, Scratch>>[],
  context: PlanContext,
  owned: OwnedMemory,
): RegionOf {
  const { buffers } = context;
  const lifetimes: Lifetime<Value | string>[] = lifetimesOf(tape);
  scratches.forEach((scratch, at) => {
    for (const [name, { length }] of Object.entries(scratch)) {
      lifetimes.push({ key: `${at} ${name}`, bytes: length * BYTES_PER_ELEMENT, first: at, last: at });
    }
  });
  const { slots, slotOf } = assignSlots(lifetimes);
  const own = (label: string, bytes: number): GPUBuffer => {
    const buffer = buffers.create(label, bytes);
    owned.buffers.push(buffer);
    return buffer;
  };
  owned.slots = context.slots.take(slots);
  const slotBuffers = owned.slots.buffers;
  const roots = new Map<Value, GPUBuffer>();

  function bufferOf(root: Value): GPUBuffer {
    const known = roots.get(root);
    if (known) return known;
    const origin = tape.origin(root);
    let buffer: GPUBuffer | undefined;
    if (origin.kind === "state") buffer = context.stateBuffer(origin.name, root);
    else if (origin.kind === "input") buffer = own(`input ${origin.name}`, sizeOf(root.shape) * BYTES_PER_ELEMENT);
    else if (origin.kind === "constant") {
      buffer = own("constant", sizeOf(root.shape) * BYTES_PER_ELEMENT);
      context.gpu.device.queue.writeBuffer(buffer, 0, asGpuArray(root, origin.data));
    } else buffer = slotBuffers[slotOf.get(root) ?? -1];
    if (!buffer) throw new Error("plan: a value has no storage");
    roots.set(root, buffer);
    return buffer;
  }

  function ofValue(value: Value): Region {
    const { root, offset } = tape.storage(value);
    const size = Math.max(1, sizeOf(value.shape)) * BYTES_PER_ELEMENT;
    return { buffer: bufferOf(root), offset: offset * BYTES_PER_ELEMENT, size };
  }

  for (const value of tape.values) ofValue(value);
  const ofTensor = (at: number, node: Node, tensor: string): Region => {
    const value = node.outputs[tensor] ?? node.inputs[tensor];
    if (value) return ofValue(value);
    const scratch = scratches[at]?.[tensor];
    const buffer = slotBuffers[slotOf.get(`${at} ${tensor}`) ?? -1];
    if (!scratch || !buffer)
      throw new Error(`${node.op.name}: a dispatch binds "${tensor}", which the op does not have`);
    return { buffer, offset: 0, size: Math.max(1, scratch.length) * BYTES_PER_ELEMENT };
  };
  return Object.assign(ofTensor, { value: ofValue });
}

/** What WebGPU would refuse, said in the op's name before it is asked. */
function checkDispatch(node: Node, dispatch: Dispatch, regions: readonly Region[], traits: Traits): void {
  const fail = (message: string): never => {
    throw new Error(`${node.op.name}: ${dispatch.entry} ${message}`);
  };
  const limit = traits.maxGroupsPerDimension;
  if (dispatch.grid.some((groups) => groups > limit)) fail(`dispatches ${dispatch.grid} groups, the limit is ${limit}`);
  const written = new Set<GPUBuffer>();
  dispatch.bind.forEach(({ tensor, access }, i) => {
    const { buffer, offset, size } = regions[i]!;
    if (size > traits.maxBindingBytes) fail(`binds ${size} bytes of ${tensor}, the limit is ${traits.maxBindingBytes}`);
    if (offset % traits.offsetAlignment !== 0)
      fail(`binds ${tensor} at byte ${offset}, not a multiple of ${traits.offsetAlignment}`);
    if (access === "write") {
      if (written.has(buffer)) fail(`writes two bindings of one buffer, ${tensor} among them`);
      written.add(buffer);
    }
  });
  dispatch.bind.forEach(({ tensor, access }, i) => {
    if (access === "read" && written.has(regions[i]!.buffer)) fail(`reads ${tensor} in a buffer that it also writes`);
  });
}

/** The array in the element type that the GPU has (the CPU may hand in float64). */
function asGpuArray(type: TensorType, data: NumericArray): NumericArray {
  const shared =
    typeof SharedArrayBuffer !== "undefined" && (data.buffer as ArrayBufferLike) instanceof SharedArrayBuffer;
  if (data.BYTES_PER_ELEMENT === BYTES_PER_ELEMENT && !shared) return data;
  const copy = allocate(type.dtype, data.length);
  copy.set(data);
  return copy;
}
