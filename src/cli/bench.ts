import { availableParallelism, cpus, freemem } from "node:os";
import { Command, Option } from "commander";
import type { Tape } from "../autograd/tape.ts";
import { benchGenerate, GENERATE_EFFORT, type GenerateEffort, generateTapes } from "../bench/generate.ts";
import { benchKernels, effortOf, measurePeak } from "../bench/kernels.ts";
import { benchMatmulPeers } from "../bench/peers.ts";
import { benchRankStep } from "../bench/rank-step.ts";
import type { Peak } from "../bench/rates.ts";
import { benchReduce } from "../bench/reduce.ts";
import { OURS, type Row } from "../bench/row.ts";
import { benchStep, STEP_EFFORT } from "../bench/step.ts";
import { benchStepPeers } from "../bench/step-peers.ts";
import { stepTape } from "../bench/step-program.ts";
import { modelFlops, type StepSize, type StepSizeName, stepSize } from "../bench/step-sizes.ts";
import { benchWasmGenerate, benchWasmKernels, benchWasmStep } from "../bench/wasm.ts";
import { type FloatDType, FORMATS } from "../core/dtype.ts";
import { UserError, userError } from "../core/errors.ts";
import { smallest } from "../core/extremes.ts";
import type { Gpu } from "../gpu/device.ts";
import { fusedOps } from "../kernels/fused.ts";
import type { Tuning } from "../kernels/tuning.ts";
import { layoutParameters } from "../model/parameters.ts";
import { openDevice } from "../node/device.ts";
import { writeOutput } from "../node/files.ts";
import { nodeThreads } from "../platform/node.ts";
import { noHalves } from "../runtime/checks.ts";
import { createGpuRuntime, traitsOf } from "../runtime/gpu.ts";
import { openWasm, type WasmDevice, wasmName } from "../runtime/wasm.ts";
import type { Collective } from "../train/collective.ts";
import { FIRST_STEP_SYSTEMS, firstSteps, printFirstStep } from "./bench-first.ts";
import { cpuPeers, openPeers, releasePeers, requirePeers } from "./bench-peers.ts";
import { printRow } from "./bench-print.ts";
import { collectiveTimeoutOption } from "./collective-timeout.ts";
import { kvBitsOption } from "./generate-flags.ts";
import type { Interrupt } from "./interrupt.ts";
import { byteSize, counted, numberBetween, wholeNumber } from "./numbers.ts";
import { withRanks } from "./ranks.ts";
import { precisionOption, withRuntime } from "./runtime.ts";
import { terminal } from "./terminal.ts";
import { keptTuning, measureTuning, tuneOption } from "./tune.ts";

interface BenchFlags {
  readonly device?: string;
  readonly json?: boolean;
  readonly quick?: boolean;
  readonly peers?: boolean;
  readonly tune?: boolean;
  readonly out?: string;
}

const DEVICE_HELP =
  "auto (a hardware GPU, else wasm), hardware, system, embedded, part of an adapter's name, or wasm; see `gpt2 devices`";

const SIZE_HELP =
  "nanogpt, gpt2 (124M), gpt2-records (on 8 records of 18 tokens), or all that fit; tiny to see that it works";

export function benchCommand(interrupt: Interrupt): Command {
  return new Command("bench")
    .description("Measure this machine: kernels, a training step, generation, each beside what the adapter can do.")
    .addCommand(
      part("kernels", "Every op at GPT-2's shapes: checked against the reference, then timed.")
        .option("--only <text>", "works with this in their name: matmul, nanogpt")
        .action((flags: KernelFlags) =>
          withRows(
            flags,
            {
              gpu: (gpu) => requireNamed(kernels(gpu, flags), flags),
              wasm: (all, one) => requireNamed(wasmKernels(all, one, flags), flags),
              peers: "product",
            },
            interrupt,
          ),
        ),
    )
    .addCommand(
      part("step", "A whole training step: tokens a second, the share of each op, time of the host.")
        .option("--size <name>", SIZE_HELP, "all")
        .addOption(precisionOption("of matrices and activations").default("f32"))
        .addOption(tuneOption())
        .addOption(collectiveTimeoutOption())
        .action((flags: StepFlags) =>
          withRanks(flags.collectiveTimeout, (_team, collective) =>
            collective
              ? rankSteps(flags, collective, interrupt)
              : withRows(flags, { gpu: steps, wasm: wasmSteps, peers: "step" }, interrupt),
          ),
        ),
    )
    .addCommand(
      part("generate", "Sampling: tokens a second, and the time to the first.")
        .option("--size <name>", SIZE_HELP, "all")
        .addOption(precisionOption("of weights, and in f16 of keys and values", FORMATS).default("f32"))
        .addOption(kvBitsOption())
        .option("--prompt-tokens <n>", "tokens of each prompt, default 8", wholeNumber(1))
        .addOption(tuneOption())
        .action((flags: SampleFlags) =>
          withRows(flags, { gpu: samples, wasm: wasmSamples, peers: "decode" }, interrupt),
        ),
    )
    .addCommand(
      new Command("reduce")
        .description(
          "Sums over the ranks that mpirun or srun has started: in order, as training has them, and as --fast-reduce has them, beside a copy.",
        )
        .addOption(
          new Option("--most <n>", "elements, at most")
            .argParser(numberBetween(1, Number.POSITIVE_INFINITY))
            .default(2e8),
        )
        .option("--json", "print one JSON object a measurement")
        .option("--out <file>", "also write all measurements as JSON, with what they were made on")
        .option("--quick", "fewer samples: a look, not a measurement")
        .addOption(collectiveTimeoutOption())
        .action((flags: ReduceFlags) => reduces(flags, interrupt)),
    )
    .addCommand(
      new Command("first-step")
        .description("One first step of nanoGPT's recipe, in a process that has compiled nothing: ms, loss and norm.")
        .option("--device <name>", DEVICE_HELP)
        .addOption(
          new Option("--system <name>", "jax-js where bench/peers is installed")
            .choices(FIRST_STEP_SYSTEMS)
            .default(OURS),
        )
        .addOption(new Option("--size <name>", "of the model").choices(["tiny", "nanogpt"]).default("nanogpt"))
        .action(printFirstStep),
    );
}

function part(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option("--device <name>", DEVICE_HELP)
    .option("--json", "print one JSON object a measurement")
    .option("--out <file>", "also write all measurements as JSON, with what they were made on")
    .option(
      "--peers",
      "the same beside jax-js, TF.js and onnxruntime, in turn on one device, or PyTorch on the CPU; see docs/performance.md",
    )
    .option("--quick", "fewer samples of smaller works: a look, not a measurement");
}

/** A step on all ranks that mpirun has started, beside that of one. */
async function rankSteps(flags: StepFlags, collective: Collective, interrupt: Interrupt): Promise<void> {
  interrupt.watch();
  const named = sizeNamed(flags) ?? "nanogpt";
  if (flags.peers || flags.tune) userError("bench step: --peers and --tune are for one process", "usage");
  await withRuntime(flags.device, async (runtime) => {
    const size = stepSize(named, runtime.traits.software ? "software" : "hardware", flags.precision);
    const row = benchRankStep(runtime, size, collective, flags.quick ? 3 : 9);
    const rows = (async function* () {
      yield await row;
    })();
    if (collective.rank > 0) await row;
    else await printRows(flags, { device: runtime.name, adapter: "" }, rows, interrupt.signal);
  });
}

interface ReduceFlags extends BenchFlags {
  readonly most: number;
  readonly collectiveTimeout?: number;
}

async function reduces(flags: ReduceFlags, interrupt: Interrupt): Promise<void> {
  interrupt.watch();
  await withRanks(flags.collectiveTimeout, async (_team, collective) => {
    if (!collective)
      return userError("bench reduce: wanted several ranks, such as mpirun -n 2 gpt2 bench reduce", "usage");
    const { name, size } = collective;
    const on = { device: `${name}, ${size} ranks`, adapter: "" };
    const rows = benchReduce(collective, { samples: flags.quick ? 3 : 9, most: flags.most });
    if (collective.rank === 0) return printRows(flags, on, rows, interrupt.signal);
    // The others do the same, and say nothing.
    for await (const _ of rows);
  });
}

interface KernelFlags extends BenchFlags {
  readonly only?: string;
}

async function* kernels(gpu: Gpu, flags: KernelFlags): AsyncGenerator<Row, void> {
  const options = { quick: flags.quick === true, only: flags.only };
  const { peak, rows } = await measurePeak(gpu, options);
  yield* rows;
  yield* benchKernels(gpu, peak, options);
  if (flags.peers) {
    const sizes = options.quick ? [256] : [512, 1024];
    yield* await benchMatmulPeers(gpu, peak, await openPeers(gpu), sizes, effortOf(options.quick));
  }
}

/** The rows; throws after the last one where none is of a work that `--only` names. */
async function* requireNamed(rows: AsyncGenerator<Row, void>, { only }: KernelFlags): AsyncGenerator<Row, void> {
  let found = only === undefined;
  for await (const row of rows) {
    found ||= row.work.includes(only!);
    yield row;
  }
  if (!found)
    userError(`--only ${only}: no work has that in its name; \`gpt2 bench kernels --quick\` names them`, "usage");
}

function wasmKernels(all: WasmDevice, one: WasmDevice, flags: KernelFlags): AsyncGenerator<Row, void> {
  return benchWasmKernels(all, one, { quick: flags.quick === true, only: flags.only });
}

interface StepFlags extends BenchFlags {
  readonly size: string;
  readonly precision?: FloatDType;
  readonly collectiveTimeout?: number;
}

interface SampleFlags
  extends Omit<StepFlags, "precision">,
    Pick<GenerateEffort, "kvBits" | "promptTokens" | "precision"> {}

const SIZES: readonly StepSizeName[] = ["nanogpt", "gpt2"];
/** A step that would take longer at half the peak is measured only when asked for by name. */
const LONGEST_STEP_MS = 5000;

function sizeNamed({ size }: Pick<StepFlags, "size">): StepSizeName | undefined {
  const names: readonly StepSizeName[] = ["tiny", ...SIZES, "gpt2-records"];
  const named = names.find((name) => name === size);
  return named || size === "all" ? named : userError(`--size is ${size}; wanted ${names.join(", ")} or all`, "usage");
}

async function* samples(gpu: Gpu, flags: SampleFlags): AsyncGenerator<Row, void> {
  const quick = flags.quick === true;
  const named = sizeNamed(flags);
  const { peak, rows } = await measurePeak(gpu, { quick });
  yield* rows;
  for (const name of named ? [named] : SIZES.slice(0, quick ? 1 : 2)) {
    const size = stepSize(name, gpu.kind);
    const tuning = await tuningOf(gpu, flags, generateTapes(size, flags.precision));
    const runtime = createGpuRuntime(gpu, { tuning });
    yield* await benchGenerate(runtime, size, peak, samplingEffort(flags, [size]));
  }
}

/** How these models are to be sampled. */
function samplingEffort(
  { quick, kvBits, promptTokens, precision }: SampleFlags,
  sizes: readonly StepSize[],
): GenerateEffort {
  const effort = GENERATE_EFFORT[quick ? "quick" : "full"];
  const places = smallest(sizes.map(({ config }) => config.contextLength));
  if (promptTokens !== undefined && promptTokens + effort.newTokens > places)
    userError(
      `--prompt-tokens is ${promptTokens}: ${effort.newTokens} more have no room in a context of ${places}; give fewer, or a larger model by --size`,
      "usage",
    );
  return { ...effort, kvBits, promptTokens, precision };
}

function wasmSteps(wasm: WasmDevice, _one: WasmDevice, flags: StepFlags): AsyncGenerator<Row, void> {
  const sizes = wasmSizes(sizeNamed(flags), ["nanogpt", "gpt2-records"], flags);
  refuseHalves(wasm, flags);
  return benchWasmStep(wasm, sizes, { quick: flags.quick === true });
}

function refuseHalves({ host }: WasmDevice, { precision }: Pick<StepFlags | SampleFlags, "precision">): void {
  if (precision === "f16") userError(noHalves(wasmName(host.threads)), "device");
}

function wasmSamples(wasm: WasmDevice, _one: WasmDevice, flags: SampleFlags): AsyncGenerator<Row, void> {
  refuseHalves(wasm, flags);
  const sizes = wasmSizes(sizeNamed(flags), SIZES, flags);
  return benchWasmGenerate(wasm, sizes, samplingEffort(flags, sizes), { quick: flags.quick === true });
}

/** What a step of 124M parameters takes there and on the host, and some more. */
const WASM_BYTES = 5 * 2 ** 30;

/** Those of `all` that this machine has room for, and time with --quick, unless one was named. */
function wasmSizes(named: StepSizeName | undefined, all: readonly StepSizeName[], { quick }: BenchFlags): StepSize[] {
  const fit = quick || freemem() < WASM_BYTES ? all.slice(0, 1) : all;
  return (named ? [named] : fit).map((name) => stepSize(name, "software"));
}

async function* steps(gpu: Gpu, flags: StepFlags): AsyncGenerator<Row, void> {
  const quick = flags.quick === true;
  const named = sizeNamed(flags);
  const { precision = "f32" } = flags;
  requireHalves(gpu, precision);
  // A step's first run is measured too: nothing may be compiled before it but the yardstick.
  const { peak, rows } = await measurePeak(gpu, { quick });
  yield* rows;
  const cold = process.env.MESA_SHADER_CACHE_DISABLE === "true";
  if (!flags.json && gpu.driver.includes("Mesa"))
    terminal.result(
      `  MESA_SHADER_CACHE_DISABLE is ${cold ? "" : "not "}true: Mesa compiles ${cold ? "all" : "what it has not kept"}`,
    );
  for (const name of named ? [named] : SIZES) {
    const size = stepSize(name, gpu.kind, precision);
    const skipped = named ? undefined : whyNot(gpu, size, peak, quick);
    if (skipped === undefined) {
      const tuning = await tuningOf(gpu, flags, [
        stepTape(size, { traits: traitsOf(gpu), fused: fusedOps(traitsOf(gpu)) }),
      ]);
      const [step, ...shares] = await benchStep(gpu, size, peak, STEP_EFFORT[quick ? "quick" : "full"], tuning);
      if (step) yield { ...step, mesa_shader_cache_disabled: cold };
      yield* shares;
    } else yield { work: `step ${size.name}`, system: OURS, device: gpu.driver, skipped };
  }
  if (flags.peers) {
    const effort = STEP_EFFORT[quick ? "quick" : "full"];
    yield* await benchStepPeers(gpu, stepSize("nanogpt", gpu.kind), await openPeers(gpu), effort);
    yield* await firstSteps(gpu, flags.device, quick ? 1 : 5);
  }
}

function requireHalves({ driver, features }: Gpu, precision: FloatDType): void {
  if (precision === "f16" && !features.has("shader-f16")) userError(noHalves(driver), "device");
}

/** What users of this machine get: what is measured now, or was before. */
async function tuningOf(
  gpu: Gpu,
  { tune }: Pick<StepFlags, "tune">,
  tapes: readonly Tape[],
): Promise<Tuning | undefined> {
  return tune ? measureTuning(gpu, tapes) : keptTuning(gpu);
}

function whyNot(gpu: Gpu, size: StepSize, peak: Peak, quick: boolean): string | undefined {
  const parameters = layoutParameters(size.config).size;
  const ms = (2 * modelFlops(size, parameters)) / peak.gflopsPerS / 1e6;
  if (ms > (quick ? LONGEST_STEP_MS / 10 : LONGEST_STEP_MS)) {
    return `would take ${(ms / 1000).toFixed(1)} s a step at half the peak; --size gpt2 runs it all the same`;
  }
  // Four arenas on the device, which is this machine's memory where a CPU does the work, and some more on the host.
  const bytes = 4 * 4 * parameters * (gpu.kind === "hardware" ? 1 : 2);
  if (gpu.kind !== "hardware" && bytes > freemem()) {
    return `needs ${byteSize(bytes)}, ${byteSize(freemem())} are free; --size gpt2 runs it all the same`;
  }
  return undefined;
}

/** What is measured on an adapter, and on WebAssembly: on all cores, and on one. */
interface Measurements<F> {
  gpu(gpu: Gpu, flags: F): AsyncGenerator<Row, void>;
  wasm(all: WasmDevice, one: WasmDevice, flags: F): AsyncGenerator<Row, void>;
  /** What bench/peers/cpu.mjs calls its works. */
  readonly peers: Parameters<typeof cpuPeers>[0];
}

/** What was measured on WebAssembly, and then, where that was asked for, the same work by other libraries on this CPU. */
async function* beside(
  own: AsyncGenerator<Row, void>,
  kind: Parameters<typeof cpuPeers>[0],
  { peers, quick }: BenchFlags,
  signal: AbortSignal,
): AsyncGenerator<Row, void> {
  // Before minutes of measuring.
  if (peers) requirePeers();
  yield* own;
  if (peers) yield* cpuPeers(kind, { quick: quick === true }, signal);
}

/** Opens the device for the length of a bench. */
async function withRows<F extends BenchFlags>(flags: F, measure: Measurements<F>, interrupt: Interrupt): Promise<void> {
  interrupt.watch();
  const { signal } = interrupt;
  const device = await openDevice(flags.device, signal);
  if ("threads" in device) {
    const { threads } = device;
    const [all, one] = [await openWasm(nodeThreads(threads)), await openWasm(nodeThreads(1))];
    try {
      const on = { device: wasmName(threads), adapter: "" };
      await printRows(flags, on, beside(measure.wasm(all, one, flags), measure.peers, flags, signal), signal);
    } finally {
      all.close();
      one.close();
    }
    return;
  }
  const { gpu } = device;
  for (const { line } of gpu.probe?.faults ?? []) terminal.warn(`${gpu.driver}: ${line}`);
  try {
    const on = { device: gpu.driver, adapter: gpu.info.description || gpu.info.device };
    await printRows(flags, on, measure.gpu(gpu, flags), signal);
  } finally {
    releasePeers(gpu);
    gpu.close();
  }
}

interface Measured {
  readonly device: string;
  readonly adapter: string;
}

/** Prints rows as they come, and ends with an error if a result was wrong. */
async function printRows(
  flags: BenchFlags,
  on: Measured,
  measured: AsyncGenerator<Row, void>,
  signal: AbortSignal,
): Promise<void> {
  const rows: Row[] = [];
  let device: string | undefined;
  for await (const row of measured) {
    // Work that was left is no work that failed.
    signal.throwIfAborted();
    rows.push(row);
    // At every row: a run that is cut short keeps what it has measured.
    if (flags.out !== undefined) writeOutput(flags.out, reportOf(rows, on));
    if (flags.json) terminal.json(row, { replacer: fiveDigits });
    else {
      // One part measures on a thread and on all of them, and their rows have the same names.
      if (row.system === OURS && row.device !== device) terminal.result(row.device);
      if (row.system === OURS) device = row.device;
      printRow(row);
    }
  }
  const ours = rows.filter(({ system, failed }) => system === OURS && failed !== undefined);
  if (ours.length > 0) throw new UserError(`bench: ${counted(ours.length, "work")} failed, ${ours[0]?.work} first`);
}

/** Rows with all that one must know to measure the same again. */
function reportOf(rows: readonly Row[], { device, adapter }: Measured): string {
  const head = {
    date: new Date().toISOString().slice(0, 10),
    command: `gpt2 ${process.argv.slice(2).join(" ")}`,
    adapter,
    device,
    host: `${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${availableParallelism()} cores, node ${process.version}`,
    mesa_shader_cache_disabled: process.env.MESA_SHADER_CACHE_DISABLE === "true",
  };
  const lines = rows.map((row) => `    ${JSON.stringify(row, fiveDigits)}`);
  return `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "rows": [\n${lines.join(",\n")}\n  ]\n}\n`;
}

/** More digits than were measured only make a file longer. */
function fiveDigits(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(5)) : value;
}
