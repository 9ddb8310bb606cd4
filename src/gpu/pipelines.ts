import { ClosedError, DeviceLostError, StoppedError } from "../core/errors.ts";
import { type Gpu, scoped } from "./device.ts";

/**
 * What a compute pipeline is made of. `access` has one letter a binding: r for read-only storage, w for read-write,
 * and at the end u for uniforms, which are `@binding(UNIFORMS_BINDING)`.
 */
export interface PipelineSpec {
  /** What the shader is called, for debuggers and errors; equal sources have equal names. */
  readonly name: string;
  readonly source: string;
  readonly entry: string;
  readonly constants: Readonly<Record<string, number>>;
  readonly access: string;
}

/** Beyond all other bindings, so that no shader's number depends on how many tensors it binds. */
export const UNIFORMS_BINDING = 15;

export interface Pipelines {
  /** The pipeline of this spec; equal specs share one. Rejects with the shader compiler's message. */
  get(spec: PipelineSpec): Promise<GPUComputePipeline>;
  layoutOf(access: string): GPUBindGroupLayout;
  readonly count: number;
}

/**
 * SwiftShader turns one shader into machine code at a time, whatever the threads that ask: two let it do so while the other's
 * SPIR-V is written and optimised. More only wait, and cost a fifth more of the processor.
 */
const EMBEDDED_AT_ONCE = 2;

/** What was made of one text. */
interface Shader {
  module: ShaderModule | undefined;
  /** By all else that a spec has. */
  readonly pipelines: Map<string, Promise<GPUComputePipeline>>;
}

interface ShaderModule {
  readonly module: GPUShaderModule;
  /** What WebGPU has against it: nothing, in the end, for nearly all. */
  readonly refused: Promise<GPUError | null>;
}

/** Makes each shader module, bind group layout and pipeline of a device once; pipelines compile concurrently. */
export function createPipelines(gpu: Gpu): Pipelines {
  const { device } = gpu;
  const shaders = new Map<string, Shader>();
  const layouts = new Map<string, GPUBindGroupLayout>();
  let count = 0;
  const inTurn = createTurns(gpu.kind === "embedded" ? EMBEDDED_AT_ONCE : Number.POSITIVE_INFINITY);

  function shaderOf(source: string): Shader {
    let shader = shaders.get(source);
    if (!shader) {
      shader = { module: undefined, pipelines: new Map() };
      shaders.set(source, shader);
    }
    return shader;
  }

  function moduleOf({ name, source }: PipelineSpec): ShaderModule {
    const shader = shaderOf(source);
    if (!shader.module) {
      // A scope of its own: an error that nobody catches is told to whoever waits next, which may be another plan.
      const { value, refused } = scoped(gpu, "validation", () =>
        device.createShaderModule({ label: name, code: source }),
      );
      shader.module = { module: value, refused };
    }
    return shader.module;
  }

  function layoutOf(access: string): GPUBindGroupLayout {
    let layout = layouts.get(access);
    if (!layout) {
      layout = device.createBindGroupLayout({
        label: access,
        entries: [...access].map((letter, binding) => ({
          binding: letter === "u" ? UNIFORMS_BINDING : binding,
          visibility: 4, // GPUShaderStage.COMPUTE; the constant's global is missing in Node
          buffer: { type: letter === "u" ? "uniform" : letter === "r" ? "read-only-storage" : "storage" },
        })),
      });
      layouts.set(access, layout);
    }
    return layout;
  }

  async function create(spec: PipelineSpec): Promise<GPUComputePipeline> {
    const { module, refused } = moduleOf(spec);
    const { value: layout, refused: layoutRefused } = scoped(gpu, "validation", () =>
      device.createPipelineLayout({ label: spec.access, bindGroupLayouts: [layoutOf(spec.access)] }),
    );
    try {
      return await gpu.wait(() =>
        device.createComputePipelineAsync({
          label: `${spec.name}: ${spec.entry}`,
          layout,
          compute: { module, entryPoint: spec.entry, constants: { ...spec.constants } },
        }),
      );
    } catch (error) {
      if (error instanceof DeviceLostError || error instanceof ClosedError || error instanceof StoppedError)
        throw error;
      const reported = (await refused) ?? (await layoutRefused) ?? (error as Error);
      const info = await gpu.wait(() => module.getCompilationInfo());
      const messages = info.messages.map(({ lineNum, linePos, message }) => `${lineNum}:${linePos} ${message}`);
      throw new Error(`shader ${spec.name}, entry ${spec.entry}: ${[reported.message.trim(), ...messages].join("\n")}`);
    }
  }

  return {
    layoutOf,
    get(spec) {
      const { pipelines } = shaderOf(spec.source);
      const key = JSON.stringify([spec.entry, spec.access, spec.constants]);
      let pipeline = pipelines.get(key);
      if (!pipeline) {
        pipeline = inTurn(() => create(spec));
        pipelines.set(key, pipeline);
        count++;
      }
      return pipeline;
    },
    get count() {
      return count;
    },
  };
}

/** Runs what it is given at once, but at most so many at a time, the others in the order in which they came. */
function createTurns(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= most) await new Promise<void>((start) => waiting.push(start));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
