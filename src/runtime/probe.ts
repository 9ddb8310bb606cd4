/** Whether a device does what kernels rely on, and WebGPU does not promise: a few small dispatches, once it is open. */
import { createTape, type Tape } from "../autograd/tape.ts";
import { LARGEST_HALF } from "../core/half.ts";
import { type Fault, type Gpu, matrixName, type Probe } from "../gpu/device.ts";
import { cast } from "../kernels/cast.ts";
import { read, write } from "../kernels/dispatch.ts";
import { matricesFor } from "../kernels/gpu/matmul/matrices.ts";
import { defaultVariant } from "../kernels/gpu/matmul/variants.ts";
import { matmul } from "../kernels/matmul.ts";
import { defineOp, f16, f32, type TensorType } from "../kernels/op.ts";
import type { Product } from "../kernels/product.ts";
import type { Traits } from "../kernels/traits.ts";
import { kernelsDigest } from "../kernels/wgsl.ts";
import { createGpuRuntime, traitsOf } from "./gpu.ts";
import type { Program, Runtime, Tensors } from "./runtime.ts";

/** What a part of the probe found. */
interface Finding {
  readonly faults: readonly Fault[];
  readonly passed: readonly string[];
}

/** Looks at what an open device has of all that kernels may use. Its faults are left out of the traits of later runtimes. */
export async function probe(gpu: Gpu): Promise<Probe> {
  const began = performance.now();
  const traits = traitsOf({ ...gpu, probe: undefined });
  const bench = createBench({ ...gpu, probe: undefined });
  try {
    const found = await Promise.all([lanesOf(bench, traits), halvesOf(bench, traits), matricesOf(bench, traits)]);
    // By itself, since it is timed.
    found.push(await registersOf(bench, traits));
    return {
      faults: found.flatMap(({ faults }) => faults),
      passed: found.flatMap(({ passed }) => passed),
      milliseconds: Math.round(performance.now() - began),
    };
  } finally {
    bench.close();
  }
}

/** A name of what a probe looks at and how: with other kernels it may find something else. */
export function probeVersion(): string {
  return `probe ${VERSION} ${kernelsDigest()}`;
}

const VERSION = 1;

/** A probe that was kept as JSON, or undefined where `data` is none. */
export function probeFrom(data: unknown): Probe | undefined {
  const { faults, passed, milliseconds } = (data ?? {}) as Partial<Probe>;
  if (!Array.isArray(faults) || !Array.isArray(passed) || typeof milliseconds !== "number") return undefined;
  const isFault = (fault: Partial<Fault> | null): boolean =>
    typeof fault?.line === "string" && typeof fault.trait === "string";
  return faults.every(isFault) ? { faults, passed: passed.map(String), milliseconds } : undefined;
}

/** Runs tapes, each on a runtime of its own. */
function createBench(gpu: Gpu) {
  const runtimes: Runtime[] = [];
  const compile = (tape: Tape, traits: Partial<Traits> = {}): Promise<Program> => {
    const runtime = createGpuRuntime(gpu, traits);
    runtimes.push(runtime);
    return runtime.compile(tape);
  };
  return {
    compile,
    run: async (tape: Tape, inputs: Tensors, traits?: Partial<Traits>): Promise<Tensors> =>
      (await compile(tape, traits)).run(inputs),
    /** What is wrong with the device where `look` fails: only that which was looked at, unless the device is lost. */
    async orFault<T>(look: () => Promise<T>, fault: (why: string) => T): Promise<T> {
      try {
        return await look();
      } catch (error) {
        gpu.checkErrors();
        return fault((error as Error).message.split("\n")[0]!);
      }
    },
    close(): void {
      for (const runtime of runtimes) runtime.close();
    },
  };
}

type Bench = ReturnType<typeof createBench>;

const NUMBERS = 11;
/** What products of software drivers have, and what attention has on GPUs. */
const WORKGROUP = { software: 8, hardware: 64 } as const;
/** Invocations that products ask for what they have. */
const ASKED = 8;

/** See shaders/probe/lanes.wgsl. seen: [invocations, 11]. */
const lanesOp = defineOp({
  name: "probeLanes",
  inputs: ["x"],
  outputs: ["seen"],
  attrs: { invocations: 0 },
  shapes: (_inputs, { invocations }) => ({ seen: { dtype: "u32", shape: [invocations, NUMBERS] } }),
  cpu: () => {
    throw new Error("probeLanes: the reference has no subgroups");
  },
  gpu: (_inputs, _outputs, { invocations }) => [
    {
      shader: ["probe/lanes"],
      entry: "look",
      enable: ["subgroups"],
      sizes: { WORKGROUP: invocations },
      bind: [write("seen")],
      grid: [1, 1, 1],
    },
  ],
  cost: () => ({ flops: 0, bytes: 0 }),
  cases: [],
});

/** How many invocations subgroups have, whether neighbours are quads, and whether all hear what the first ones say. */
async function lanesOf(bench: Bench, { subgroups, subgroupMinSize, software }: Traits): Promise<Finding> {
  if (!subgroups) return NOTHING;
  const look = async (): Promise<Finding> => {
    const all = await seenBy(bench, WORKGROUP[software ? "software" : "hardware"]);
    const sizes = all.map(({ size }) => size);
    const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
    const faults: Fault[] = [];
    if (!all.every(hearsTheFirst)) faults.push(noLanes("do not hand on what their first invocations have"));
    else if (least < subgroupMinSize)
      faults.push({
        trait: "subgroupMinSize",
        size: least,
        line: `subgroups have ${least} invocations, where the adapter says ${subgroupMinSize} at least: kernels for more are left out`,
      });
    const quads = all.every(({ local, across, down }) => across === (local ^ 1) && down === (local ^ 2));
    if (!quads)
      faults.push({
        trait: "quads",
        line: "four neighbours of a workgroup are no quad of a subgroup: attention shares no rows among them",
      });
    const passed = [`subgroups of ${least === most ? least : `${least} to ${most}`}`, ...(quads ? ["quads"] : [])];
    return { faults, passed };
  };
  return bench.orFault(look, (why) => ({
    faults: [
      noLanes(`do not compile (${why})`),
      { trait: "quads", line: "quads of subgroups do not compile: attention shares no rows among them" },
    ],
    passed: [],
  }));
}

function noLanes(why: string): Fault {
  return { trait: "subgroupMinSize", size: 0, line: `subgroups ${why}: products do without them` };
}

/** What one invocation saw. */
interface Seen {
  readonly local: number;
  readonly size: number;
  readonly across: number;
  readonly down: number;
  /** What the first of its subgroup said. */
  readonly first: readonly number[];
}

async function seenBy(bench: Bench, invocations: number): Promise<Seen[]> {
  const tape = createTape();
  tape.output("seen", lanesOp.apply({ x: tape.input("x", f32([1])) }, { invocations }).seen);
  const { seen } = await bench.run(tape, { x: new Float32Array(1) });
  return Array.from({ length: invocations }, (_, local) => {
    const [size = 0, across = 0, down = 0, ...first] = seen!.slice(local * NUMBERS, (local + 1) * NUMBERS);
    return { local, size, across, down, first };
  });
}

/** Whether what the first invocations of a subgroup said, of those that there are, is their place in the workgroup. */
function hearsTheFirst({ local, size, first }: Seen, _at: number, { length }: readonly Seen[]): boolean {
  const start = Math.floor(local / size) * size;
  const known = Math.min(ASKED, size, length - start);
  return first.slice(0, known).every((place, i) => place === start + i);
}

/** Beyond what f16 holds, the largest that it does, and a few more. */
const BEYOND = [65520, -65520, 1e30, -1e30, Number.POSITIVE_INFINITY, LARGEST_HALF, 1, -2];
const KEPT = BEYOND.map((x) => (Math.abs(x) > LARGEST_HALF ? Math.sign(x) * Number.POSITIVE_INFINITY : x));

/** Whether what does not fit f16 is infinite in memory, which the guard against overflow goes by. */
async function halvesOf(bench: Bench, traits: Traits): Promise<Finding> {
  if (!traits.f16) return NOTHING;
  const wrong = (line: string): Finding => ({ faults: [{ trait: "f16", line }], passed: [] });
  const look = async (): Promise<Finding> => {
    const tape = createTape();
    tape.output("y", cast(tape.input("x", f32([BEYOND.length])), "f16"));
    const { y } = await bench.run(tape, { x: Float32Array.from(BEYOND) });
    return KEPT.every((wanted, i) => y![i] === wanted)
      ? { faults: [], passed: ["infinity in f16"] }
      : wrong("f16: what is beyond its range is not stored as infinity, so that an overflow would go unseen: not used");
  };
  return bench.orFault(look, (why) => wrong(`f16: does not compile (${why}): not used`));
}

const SIDE = 64;

/** Whether the matrices that products would use, of either type, multiply rightly; where they do not, the next ones are looked at. */
async function matricesOf(bench: Bench, traits: Traits): Promise<Finding> {
  const each = await Promise.all(
    (["f16", "f32"] as const).map(async (type): Promise<Finding> => {
      if (type === "f16" && !traits.f16) return NOTHING;
      const faults: Fault[] = [];
      const product: Product = {
        ...{ M: SIDE, N: SIDE, K: SIDE, transposeA: false, transposeB: false },
        types: { a: type, b: type, y: "f32" },
      };
      for (let left = traits.subgroupMatrices; ; ) {
        const these = { ...traits, subgroupMatrices: left, software: false };
        const matrix = matricesFor(product, these);
        const variant = defaultVariant(product, these);
        if (!matrix || !variant.matrices || matrix.componentType !== type) return { faults, passed: [] };
        const name = matrixName(matrix);
        const why = await bench.orFault(
          async () =>
            (await multiplies(bench, type, variant.name, { subgroupMatrices: [matrix] })) ? "" : "gives wrong sums",
          (message) => `does not compile (${message})`,
        );
        if (why === "") return { faults, passed: [`matrices of ${name}`] };
        faults.push({ trait: "subgroupMatrix", matrix: name, line: `matrices of ${name}: ${why}: not used` });
        left = left.filter((other) => other !== matrix);
      }
    }),
  );
  return { faults: each.flatMap(({ faults }) => faults), passed: each.flatMap(({ passed }) => passed) };
}

/** Whole numbers so small that no order of summing rounds. */
async function multiplies(
  bench: Bench,
  type: "f16" | "f32",
  variant: string,
  traits: Partial<Traits>,
): Promise<boolean> {
  const of: TensorType = (type === "f16" ? f16 : f32)([SIDE, SIDE]);
  const tape = createTape();
  tape.output("y", matmul(tape.input("a", of), tape.input("b", of), { variant, splits: 1 }));
  const a = Float32Array.from({ length: SIDE * SIDE }, (_, i) => ((i * 7 + (i >> 6)) % 9) - 4);
  const b = Float32Array.from({ length: SIDE * SIDE }, (_, i) => ((i * 5 + (i >> 5)) % 11) - 5);
  const { y } = await bench.run(tape, { a, b }, traits);
  return y!.every((found, at) => {
    const [row, column] = [Math.floor(at / SIDE), at % SIDE];
    let sum = 0;
    for (let k = 0; k < SIDE; k++) sum += a[row * SIDE + k]! * b[k * SIDE + column]!;
    return found === sum;
  });
}

const INVOCATIONS = 2 ** 14;
const SUMS = 16;
const GROUP = 64;

/** See shaders/probe/registers.wgsl. */
const registersOp = defineOp({
  name: "probeRegisters",
  inputs: ["x"],
  outputs: ["y"],
  attrs: { entry: "in_array" as "in_array" | "by_name", rounds: 1 },
  shapes: () => ({ y: f32([4 * INVOCATIONS]) }),
  cpu: () => {
    throw new Error("probeRegisters: the reference is not timed");
  },
  gpu: (_inputs, _outputs, { entry, rounds }) => [
    {
      shader: ["probe/registers"],
      entry,
      uniforms: { ROUNDS: rounds },
      bind: [read("x"), write("y")],
      grid: [INVOCATIONS / GROUP, 1, 1],
    },
  ],
  cost: (_inputs, _outputs, { rounds }) => ({ flops: 8 * SUMS * INVOCATIONS * rounds, bytes: 16 * INVOCATIONS }),
  cases: [],
});

/** 8 MFLOP, and more while a run takes too short to tell; 35 GFLOP at most. */
const LEAST_ROUNDS = 4;
const MOST_ROUNDS = 2 ** 14;
/** Milliseconds: many times what a wait is late by. */
const LONG_ENOUGH = 4;
/** Of which the best counts, where it is not far longer: Firefox takes 100 to hear of a run. */
const RUNS = 3;
const FAR_LONGER = 40;
/** What else the machine does makes some runs slow: arrays count as memory if as many more rounds still say so. */
const DOUBTS = 4;
/** Memory is ten times as slow as registers and more. */
const MEMORY = 3;

/** Whether arrays of an invocation are registers: where they are memory, kernels for GPUs are many times slower than others. */
async function registersOf(bench: Bench, { software }: Traits): Promise<Finding> {
  if (software) return NOTHING;
  const inputs = { x: new Float32Array(4 * GROUP).fill(0.5) };
  const prepare = async (entry: "in_array" | "by_name", rounds: number): Promise<() => Promise<number>> => {
    const tape = createTape();
    const { y } = registersOp.apply({ x: tape.input("x", f32([4 * GROUP])) }, { entry, rounds });
    tape.output("y", tape.view(y, 0, [4]));
    const program = await bench.compile(tape);
    const time = async (): Promise<number> => {
      const began = performance.now();
      await program.run(inputs);
      return performance.now() - began;
    };
    await time(); // the first is slower
    return time;
  };
  const look = async (): Promise<Finding> => {
    let rounds = LEAST_ROUNDS;
    let inArray = await prepare("in_array", rounds);
    for (;;) {
      const taken = Math.min(await inArray(), await inArray());
      if (taken >= LONG_ENOUGH || rounds >= MOST_ROUNDS) break;
      rounds *= taken < LONG_ENOUGH / 4 ? 8 : 4;
      inArray = await prepare("in_array", rounds);
    }
    const byName = await prepare("by_name", rounds);
    let [array, name] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    const takeTurns = async (): Promise<number> => {
      for (let run = 0; run < RUNS; run++) {
        array = Math.min(array, await inArray());
        name = Math.min(name, await byName());
        if (array > FAR_LONGER) break;
      }
      return array / name;
    };
    let ratio = await takeTurns();
    for (let doubt = 0; doubt < DOUBTS && ratio >= MEMORY; doubt++) ratio = await takeTurns();
    const times = `${ratio.toPrecision(2)} times the time of registers`;
    if (ratio < MEMORY) return { faults: [], passed: [`arrays are registers (${times})`] };
    const line = `arrays of an invocation are memory (${times}): kernels made for software drivers are used`;
    return { faults: [{ trait: "registers", line }], passed: [] };
  };
  return bench.orFault(look, () => NOTHING);
}

const NOTHING: Finding = { faults: [], passed: [] };
