import type { Node, Tape } from "../autograd/tape.ts";
import { ClosedError, DeviceLostError, StoppedError } from "../core/errors.ts";
import type { Region } from "../gpu/buffers.ts";
import { scoped } from "../gpu/device.ts";
import { type PipelineSpec, type Pipelines, UNIFORMS_BINDING } from "../gpu/pipelines.ts";
import type { Dispatch } from "../kernels/dispatch.ts";
import type { Value } from "../kernels/op.ts";
import type { Traits } from "../kernels/traits.ts";
import { hasUniforms, shaderName, shaderSource } from "../kernels/wgsl.ts";
import { allocateLayout, type MemoryContext } from "./allocate.ts";
import { checkInputs } from "./inputs.ts";
import { layOut, type PlacedDispatch } from "./layout.ts";
import { type Pace, unitsOf } from "./pace.ts";
import { timeSteps } from "./profile.ts";
import { createReadback } from "./readback.ts";
import type { DispatchTime, Program, Tensors } from "./runtime.ts";
import { gpuArray } from "./typed.ts";

/** What a plan is compiled with: the parts of a GPU runtime. */
export interface PlanContext extends MemoryContext {
  readonly traits: Traits;
  readonly pipelines: Pipelines;
  readonly pace: Pace;
}

/** A variant that an op chose by itself and that does not compile: there are others. */
export class VariantRefused extends Error {
  override name = "VariantRefused";
  readonly variant: string;

  constructor(variant: string, message: string) {
    super(message);
    this.variant = variant;
  }
}

interface Step {
  readonly node: number;
  readonly op: string;
  readonly entry: string;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly grid: readonly [number, number, number];
}

/**
 * Compiles a tape once: memory from lifetimes, pipelines concurrently, bind groups made once.
 * A run writes the inputs, encodes the same dispatches again and submits them, a bounded time's work at a time.
 * Rejects with `VariantRefused` where other traits may do.
 */
export async function compilePlan(tape: Tape, context: PlanContext): Promise<Program> {
  const { gpu, pipelines, buffers, states, pace } = context;
  gpu.checkErrors();
  // Compiling takes longest, on threads of the driver's, so it begins while the rest is laid out.
  const compiling = new Map<Dispatch, Promise<GPUComputePipeline>>();
  const layout = layOut(tape, context.traits, (dispatch, { op }) => {
    const pipeline = pipelines.get(specOf(dispatch)).catch((error: unknown) => {
      if (error instanceof DeviceLostError || error instanceof ClosedError || error instanceof StoppedError)
        throw error;
      const message = `${op.name}: ${(error as Error).message}`;
      throw dispatch.variant === undefined ? new Error(message) : new VariantRefused(dispatch.variant, message);
    });
    pipeline.catch(() => {}); // nobody awaits it where the plan fails before
    compiling.set(dispatch, pipeline);
  });
  const memory = await allocateLayout(layout, context);

  function bindGroupOf({ node, dispatch, regions, uniforms }: PlacedDispatch): GPUBindGroup {
    return gpu.device.createBindGroup({
      label: `${node.op.name}: ${dispatch.entry}`,
      layout: pipelines.layoutOf(accessOf(dispatch)),
      entries: [
        ...regions.map((region, binding) => ({ binding, resource: memory.regionOf(region) })),
        ...(uniforms ? [{ binding: UNIFORMS_BINDING, resource: memory.regionOf(uniforms) }] : []),
      ],
    });
  }

  const placeOf = new Map(tape.nodes.map((node, place) => [node, place]));

  async function stepOf({ node, dispatch }: PlacedDispatch, bindGroup: GPUBindGroup): Promise<Step> {
    const pipeline = await compiling.get(dispatch)!;
    return {
      node: placeOf.get(node)!,
      op: node.op.name,
      entry: dispatch.entry,
      pipeline,
      bindGroup,
      grid: dispatch.grid,
    };
  }

  async function stepsOf(dispatches: readonly PlacedDispatch[]): Promise<Step[]> {
    const { value: groups, refused } = scoped(gpu, "validation", () => dispatches.map(bindGroupOf));
    const made = await Promise.all(dispatches.map((dispatch, i) => stepOf(dispatch, groups[i]!)));
    const error = await refused;
    if (error) throw new Error(`WebGPU: ${error.message.trim()}`);
    return made;
  }

  const steps = await stepsOf(layout.dispatches).catch((error: unknown) => {
    memory.release();
    throw error;
  });
  const fences = fencesOf(tape, layout.dispatches);
  const regionOf = (value: Value): Region => memory.regionOf(layout.regionOf(value));
  const results = [...tape.outputs].map(([name, value]) => ({ name, value, region: regionOf(value) }));
  const readback = createReadback(gpu, buffers, results);
  const label = `run of ${results.map(({ name }) => name).join(", ") || "a tape without outputs"}`;
  const work = workOf(layout.dispatches);
  function writeInputs(inputs: Tensors): void {
    for (const [value, data] of checkInputs(tape, inputs)) {
      const { buffer, offset } = regionOf(value);
      gpu.device.queue.writeBuffer(buffer, offset, gpuArray(value, data));
    }
  }

  let disposed = false;
  function requireHeld(): void {
    if (disposed) throw new ClosedError("run: the program was disposed of; compile its tape again");
  }

  const profile = async (inputs: Tensors): Promise<DispatchTime[]> => {
    requireHeld();
    writeInputs(inputs);
    const timed = steps.map((step, at) => ({
      ...step,
      encode: (pass: GPUComputePassEncoder) => encode(pass, steps, at, at + 1),
    }));
    return timeSteps(gpu, buffers, timed);
  };

  return {
    stats: {
      stateBytes: states.bytes(),
      transientBytes: memory.bytes,
      dispatches: steps.length,
      pipelines: pipelines.count,
    },
    async run(inputs, reached) {
      gpu.checkErrors();
      requireHeld();
      writeInputs(inputs);
      let slot: ReturnType<typeof readback.encode>;
      const marks = reached ? fences : [];
      let from = 0;
      let passed = 0;
      for (const end of endsOf(pace.cut(work), marks)) {
        const encoder = gpu.device.createCommandEncoder({ label });
        const pass = encoder.beginComputePass({ label });
        encode(pass, steps, from, end);
        pass.end();
        if (end === steps.length) slot = readback.encode(encoder);
        gpu.device.queue.submit([encoder.finish()]);
        from = end;
        while (passed < marks.length && marks[passed]! <= end) reached?.(passed++);
      }
      gpu.checkErrors();
      if (!slot) {
        pace.unread(work);
        return {};
      }
      const ended = pace.submitted(work);
      let read = false;
      try {
        const results = await slot.read();
        read = true;
        return results;
      } finally {
        ended(read);
      }
    },
    ...(gpu.features.has("timestamp-query") ? { profile } : {}),
    dispose() {
      disposed = true;
      memory.release();
      readback.dispose();
    },
  };
}

/** How many dispatches lie before each fence of the tape. */
function fencesOf(tape: Tape, dispatches: readonly PlacedDispatch[]): number[] {
  const numbers = new Map(tape.nodes.map((node, i) => [node, i]));
  return tape.fences.map((fence) => {
    const end = dispatches.findIndex(({ node }) => numbers.get(node)! >= fence);
    return end < 0 ? dispatches.length : end;
  });
}

/** Where submits end: where the device has had enough, and at fences that somebody waits for. */
function endsOf(cut: readonly number[], fences: readonly number[]): number[] {
  return [...new Set([...cut, ...fences.filter((end) => end > 0)])].sort((a, b) => a - b);
}

/** What the pipeline of a dispatch is made of. */
export function specOf(dispatch: Dispatch): PipelineSpec {
  const { entry, constants = {} } = dispatch;
  return { name: shaderName(dispatch), source: shaderSource(dispatch), entry, constants, access: accessOf(dispatch) };
}

function accessOf(dispatch: Dispatch): string {
  const tensors = dispatch.bind.map(({ access }) => (access === "read" ? "r" : "w")).join("");
  return hasUniforms(dispatch) ? `${tensors}u` : tensors;
}

/** What each dispatch does, in units: the work of an op is shared out evenly among its own. */
function workOf(dispatches: readonly PlacedDispatch[]): number[] {
  const counts = new Map<Node, number>();
  for (const { node } of dispatches) counts.set(node, (counts.get(node) ?? 0) + 1);
  const shares = new Map<Node, number>();
  for (const [node, count] of counts) {
    const { op, inputs, outputs, attrs } = node;
    shares.set(node, unitsOf(op.cost(inputs, outputs, attrs)) / count);
  }
  return dispatches.map(({ node }) => shares.get(node)!);
}

/** Encodes the steps from number `from` up to `end`. */
function encode(pass: GPUComputePassEncoder, steps: readonly Step[], from: number, end: number): void {
  let current: GPUComputePipeline | undefined;
  for (let at = from; at < end; at++) {
    const { pipeline, bindGroup, grid } = steps[at]!;
    if (pipeline !== current) pass.setPipeline(pipeline);
    current = pipeline;
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
  }
}
