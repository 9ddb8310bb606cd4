/** Compiles all pipelines of plans for a GPU, one after another, and tells what its compiler made of each. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import type { Gpu } from "../../src/gpu/device.ts";
import { createPipelines } from "../../src/gpu/pipelines.ts";
import type { Dispatch } from "../../src/kernels/dispatch.ts";
import { type MatmulVariant, matmulVariants } from "../../src/kernels/gpu/matmul/variants.ts";
import { traitsOf } from "../../src/runtime/gpu.ts";
import { layOut, type PlacedDispatch } from "../../src/runtime/layout.ts";
import { specOf } from "../../src/runtime/plan.ts";
import { saidByIntel } from "./intel.ts";
import { type Loop, loopsOf, type Mix, mainLoop, mixOfKernel } from "./machine-code.ts";
import { type Count, countOf, type Workload } from "./workloads.ts";

/** One pipeline as the GPU runs it. */
export interface Kernel {
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
  readonly registers: number;
  readonly spilled: number;
  readonly scratchBytes: number;
  readonly ldsBytes: number;
  /** Subgroups that a SIMD holds at one time; absent where that is no matter of the kernel. */
  readonly waves?: number;
  readonly codeBytes: number;
  /** The compiler's estimates, in cycles: until a subgroup is done, and of the busiest unit, with loops run 8 times (ANV: 10, and one estimate). */
  readonly latency: number;
  readonly throughput: number;
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

/** `records`: the file that layer.c writes to. */
export function createCompiler(gpu: Gpu, records: string): Compiler {
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
      machine.texts.Assembly ?? machine.texts["GEN Assembly"] ?? "",
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
      const kernels = [...uses].map(([machine, placed]) => kernelOf(machine, placed));
      return { workload: workload.name, ...countOf(tape, layout), kernels };
    },
  };
}

function kernelOf(machine: Machine, uses: readonly PlacedDispatch[]): Kernel {
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
    ...(machine.texts["GEN Assembly"] === undefined ? saidByAmd(machine, dispatch) : saidByIntel(machine)),
  };
}

/** What RADV says of a kernel. */
function saidByAmd({ statistics, texts }: Machine, dispatch: Dispatch) {
  const statistic = (...names: string[]): number => names.reduce((sum, name) => sum + (statistics[name] ?? 0), 0);
  const assembly = texts.Assembly ?? "";
  const loops = loopsOf(assembly);
  const main = mainLoop(loops);
  const slab = slabOf(dispatch, loops, main);
  return {
    registers: statistic("VGPRs"),
    spilled: statistic("Spilled VGPRs", "Spilled SGPRs"),
    scratchBytes: statistic("Scratch size"),
    ldsBytes: statistic("LDS size"),
    waves: statistic("Subgroups per SIMD"),
    codeBytes: statistic("Code size"),
    latency: statistic("Latency"),
    throughput: statistic("Inverse Throughput"),
    mix: mixOfKernel(assembly),
    ...(main ? { loop: main.mix } : {}),
    ...(main && main.sometimes.vector > 0 ? { sometimes: main.sometimes } : {}),
    ...(slab ? { slab } : {}),
  };
}

function shadersOf({ shader }: Dispatch): string[] {
  const names = shader.map((one) => (typeof one === "string" ? one : one.name));
  return names.filter((name) => !/^lib\/|^matmul\/(sizes|work|block|place|stage)$/.test(name));
}

/**
 * The loop that goes through K slab by slab, with the one in it that computes, where there is one, as often as it is run for a slab;
 * loops that only stage are counted once.
 */
function slabOf(dispatch: Dispatch, loops: readonly Loop[], main: Loop | undefined): Kernel["slab"] {
  const last = dispatch.shader.at(-1);
  const variant = matmulVariants.find(
    ({ shader, sizes = {} }) =>
      shader === last && Object.entries(sizes).every(([name, size]) => dispatch.sizes?.[name] === size),
  );
  const wanted = variant && workOfSlab(variant, dispatch);
  if (!wanted || !main) return undefined;
  const done = main.own.matrix || main.own.multiplyAdds;
  const times = wanted / done;
  // The last slab may have rows to leave out, and few have numbers that are too large; the others do not go there.
  if (times <= 1) return { ...less(main.mix, rareOf(main)), loadsAhead: main.loadsAhead };
  const around = main.parent === undefined ? undefined : loops[main.parent];
  if (!around || !Number.isInteger(times)) return undefined;
  const once = less(around.mix, rareOf(around));
  const again = less(main.mix, main.sometimes);
  return { ...combined(once, again, (a, b) => a + (times - 1) * b), loadsAhead: around.loadsAhead };
}

/** What is not done each time, where it does not compute. */
function rareOf({ sometimes }: Loop): Mix | undefined {
  return sometimes.multiplyAdds + sometimes.matrix === 0 ? sometimes : undefined;
}

function less(mix: Mix, part: Mix | undefined): Mix {
  return part ? combined(mix, part, (a, b) => a - b) : mix;
}

function combined(a: Mix, b: Mix, how: (a: number, b: number) => number): Mix {
  const names = Object.keys(a) as (keyof Mix)[];
  return Object.fromEntries(names.map((name) => [name, how(a[name], b[name])])) as unknown as Mix;
}

/** Multiply-adds of an invocation for a slab of K, or matrix instructions of a subgroup; undefined where there are no slabs. */
function workOfSlab(
  { depth, tile, invocations, matrices }: MatmulVariant,
  { sizes = {} }: Dispatch,
): number | undefined {
  if (depth === 0) return undefined;
  if (matrices) return ((sizes.DEPTH ?? depth) / sizes.MATRIX_K!) * matrices.sums[0] * matrices.sums[1];
  return (depth * tile[0] * tile[1]) / invocations;
}
