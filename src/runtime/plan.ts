import type { Tape } from "../autograd/tape.ts";
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
import { timeSteps } from "./profile.ts";
import { createReadback } from "./readback.ts";
import type { DispatchTime, Program, Tensors } from "./runtime.ts";
import { gpuArray } from "./typed.ts";

/** What a plan is compiled with: the parts of a GPU runtime. */
export interface PlanContext extends MemoryContext {
  readonly traits: Traits;
  readonly pipelines: Pipelines;
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
  const { gpu, pipelines, buffers, states } = context;
  gpu.checkErrors();
  // Compiling takes longest, on threads of the driver's, so it begins while the rest is laid out.
  const compiling = new Map<Dispatch, Promise<GPUComputePipeline>>();
  const layout = layOut(tape, context.traits, (dispatch, { op }) => {
    const pipeline = pipelines.get(specOf(dispatch)).catch((error: unknown) => {
      if (error instanceof DeviceLostError || error instanceof ClosedError || error instanceof StoppedError)
        throw error;
      throw new Error(`${op.name}: ${(error as Error).message}`);
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

  async function stepOf({ node, dispatch }: PlacedDispatch, bindGroup: GPUBindGroup): Promise<Step> {
    const pipeline = await compiling.get(dispatch)!;
    return { op: node.op.name, entry: dispatch.entry, pipeline, bindGroup, grid: dispatch.grid };
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
  const pieces = piecesOf(tape, layout.dispatches, steps);
  const regionOf = (value: Value): Region => memory.regionOf(layout.regionOf(value));
  const results = [...tape.outputs].map(([name, value]) => ({ name, value, region: regionOf(value) }));
  const readback = createReadback(gpu, buffers, results);
  const label = `run of ${results.map(({ name }) => name).join(", ") || "a tape without outputs"}`;
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
    const timed = steps.map((step) => ({ ...step, encode: (pass: GPUComputePassEncoder) => encode(pass, [step]) }));
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
      // In one piece where nobody wants to hear of others.
      const queued = reached ? pieces : [steps];
      queued.forEach((piece, i) => {
        const encoder = gpu.device.createCommandEncoder({ label });
        const pass = encoder.beginComputePass({ label });
        encode(pass, piece);
        pass.end();
        const last = i === queued.length - 1;
        if (last) slot = readback.encode(encoder);
        gpu.device.queue.submit([encoder.finish()]);
        if (!last) reached?.(i);
      });
      gpu.checkErrors();
      return slot ? slot.read() : {};
    },
    ...(gpu.features.has("timestamp-query") ? { profile } : {}),
    dispose() {
      disposed = true;
      memory.release();
      readback.dispose();
    },
  };
}

/** The steps up to each fence of the tape, and those behind the last. */
function piecesOf(tape: Tape, dispatches: readonly PlacedDispatch[], steps: readonly Step[]): (readonly Step[])[] {
  const numbers = new Map(tape.nodes.map((node, i) => [node, i]));
  const ends = tape.fences.map((fence) => {
    const end = dispatches.findIndex(({ node }) => numbers.get(node)! >= fence);
    return end < 0 ? steps.length : end;
  });
  return [...ends, steps.length].map((end, i) => steps.slice(i === 0 ? 0 : ends[i - 1], end));
}

function specOf(dispatch: Dispatch): PipelineSpec {
  const { entry, constants = {} } = dispatch;
  return { name: shaderName(dispatch), source: shaderSource(dispatch), entry, constants, access: accessOf(dispatch) };
}

function accessOf(dispatch: Dispatch): string {
  const tensors = dispatch.bind.map(({ access }) => (access === "read" ? "r" : "w")).join("");
  return hasUniforms(dispatch) ? `${tensors}u` : tensors;
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
