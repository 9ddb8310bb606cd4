/** Compiles all pipelines of plans for a GPU, one after another, and tells what its compiler made of each. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import type { Gpu } from "../../src/gpu/device.ts";
import { createPipelines } from "../../src/gpu/pipelines.ts";
import type { Dispatch } from "../../src/kernels/dispatch.ts";
import { traitsOf } from "../../src/runtime/gpu.ts";
import { layOut, type PlacedDispatch } from "../../src/runtime/layout.ts";
import { specOf } from "../../src/runtime/plan.ts";
import type { Mix } from "./machine-code.ts";
import { type Count, countOf, type Workload } from "./workloads.ts";

/** One pipeline as the GPU runs it. */
export interface Kernel extends Said {
  readonly op: string;
  /** Its shaders, without libraries. */
  readonly shaders: readonly string[];
  /** Types of tensors, and sizes of arrays in registers. */
  readonly types: Readonly<Record<string, string>>;
  readonly sizes: Readonly<Record<string, number>>;
  readonly constants: Readonly<Record<string, number>>;
  /** Dispatches of the plan that use it, and workgroups of them all. */
  readonly dispatches: number;
  readonly groups: number;
  readonly subgroup: number;
}

/** What its compiler says of it. */
export interface Said {
  readonly registers: number;
  readonly spilled: number;
  readonly scratchBytes: number;
  /** Workgroup memory; NAK does not say. */
  readonly ldsBytes?: number;
  /** Subgroups that a SIMD holds at one time; absent where that is no matter of the kernel. */
  readonly waves?: number;
  readonly codeBytes: number;
  /**
   * The compiler's estimates, in cycles: until a subgroup is done, and of the busiest unit, with loops run 8 times (ANV: 10, and one
   * estimate; NAK: none).
   */
  readonly latency?: number;
  readonly throughput?: number;
  /** Of the whole kernel, each instruction once. */
  readonly mix: Mix;
  /** The loop that the work is in, if there is one. */
  readonly loop?: Mix;
  /** Of that loop, what is not done each time. */
  readonly sometimes?: Mix;
  /** Of a product: what an invocation executes for one slab of K, the loop as often as it is run. */
  readonly slab?: Mix & { readonly loadsAhead: boolean };
}

export interface Report extends Count {
  readonly workload: string;
  readonly kernels: readonly Kernel[];
}

export interface Machine {
  readonly statistics: Readonly<Record<string, number>>;
  readonly subgroupSize: number;
  readonly texts: Readonly<Record<string, string>>;
}

/** Compilers of one device: each pipeline is compiled once, whatever workloads have it. */
export interface Compiler {
  report(workload: Workload, only?: RegExp): Promise<Report>;
  /** The machine code of each kernel so far, by a name for a file. */
  readonly code: ReadonlyMap<string, string>;
}

/** What a maker's compiler says of a kernel. */
export type SaidOf = (machine: Machine, dispatch: Dispatch) => Said;

/** `records`: the file that layer.c writes to. */
export function createCompiler(gpu: Gpu, records: string, said: SaidOf): Compiler {
  const traits = traitsOf(gpu);
  const pipelines = createPipelines(gpu);
  const machines = new Map<string, Machine>();
  const code = new Map<string, string>();

  async function machineOf(dispatch: Dispatch): Promise<Machine> {
    const spec = specOf(dispatch);
    const key = JSON.stringify([spec.source, spec.entry, spec.constants, spec.access]);
    const known = machines.get(key);
    if (known) return known;
    rmSync(records, { force: true });
    await pipelines.get(spec);
    if (!existsSync(records)) throw new Error(`the compiler said nothing of ${spec.name}: is the layer loaded?`);
    const machine = JSON.parse(readFileSync(records, "utf8").trim().split("\n").at(-1)!) as Machine;
    machines.set(key, machine);
    code.set(
      `${machines.size.toString().padStart(3, "0")} ${spec.name.replaceAll("/", "-")}`,
      machine.texts.Assembly ?? machine.texts["GEN Assembly"] ?? machine.texts["NAK assembly"] ?? "",
    );
    return machine;
  }

  return {
    code,
    async report(workload, only = /./) {
      const tape = workload.tape(traits);
      const layout = layOut(tape, traits);
      const uses = new Map<Machine, PlacedDispatch[]>();
      for (const placed of layout.dispatches) {
        if (!only.test(`${placed.node.op.name} ${shadersOf(placed.dispatch).join(" ")}`)) continue;
        const machine = await machineOf(placed.dispatch);
        uses.set(machine, [...(uses.get(machine) ?? []), placed]);
      }
      const kernels = [...uses].map(([machine, placed]) => kernelOf(machine, placed, said));
      return { workload: workload.name, ...countOf(tape, layout), kernels };
    },
  };
}

function kernelOf(machine: Machine, uses: readonly PlacedDispatch[], said: SaidOf): Kernel {
  const { dispatch } = uses[0]!;
  return {
    op: [...new Set(uses.map(({ node }) => node.op.name))].join(", "),
    shaders: shadersOf(dispatch),
    types: dispatch.types ?? {},
    sizes: dispatch.sizes ?? {},
    constants: dispatch.constants ?? {},
    dispatches: uses.length,
    groups: uses.reduce((sum, use) => sum + use.dispatch.grid.reduce((product, n) => product * n, 1), 0),
    subgroup: machine.subgroupSize,
    ...said(machine, dispatch),
  };
}

function shadersOf({ shader }: Dispatch): string[] {
  const names = shader.map((one) => (typeof one === "string" ? one : one.name));
  return names.filter((name) => !/^lib\/|^matmul\/(sizes|work|block|place|stage)$/.test(name));
}
