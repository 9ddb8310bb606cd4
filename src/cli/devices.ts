import { availableParallelism, cpus } from "node:os";
import { Command } from "commander";
import pc from "picocolors";
import { createTape } from "../autograd/tape.ts";
import { UserError } from "../core/errors.ts";
import { smallest } from "../core/extremes.ts";
import type { Probe } from "../gpu/device.ts";
import { matmul } from "../kernels/matmul.ts";
import { f32 } from "../kernels/op.ts";
import { wantedDevice } from "../node/device.ts";
import { wantedLimits } from "../platform/node/limits.ts";
import { type AdapterReport, listAdapters, openGpu } from "../platform/node.ts";
import { createGpuRuntime } from "../runtime/gpu.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { wasmName } from "../runtime/wasm.ts";
import { withRuntime } from "./runtime.ts";
import { terminal } from "./terminal.ts";

const MIB = 1024 * 1024;

/** What matters to kernels, as a person reads it. */
const LIMITS: readonly (readonly [label: string, name: string, show: (value: number) => string])[] = [
  ["binding", "maxStorageBufferBindingSize", (bytes) => `${Math.round(bytes / MIB)} MiB`],
  ["buffer", "maxBufferSize", (bytes) => `${Math.round(bytes / MIB)} MiB`],
  ["invocations", "maxComputeInvocationsPerWorkgroup", String],
  ["workgroup memory", "maxComputeWorkgroupStorageSize", (bytes) => `${bytes / 1024} KiB`],
  ["storage buffers", "maxStorageBuffersPerShaderStage", String],
];

const FEATURES = /^(shader-f16|subgroups|subgroup-size-control|timestamp-query|chromium-experimental-subgroup-matrix)$/;

export function devicesCommand(): Command {
  return new Command("devices")
    .description("List what this machine can compute on, how fast a product is there, and which one is used and why.")
    .option("--json", "print everything as JSON")
    .addHelpText("after", "\nGPT2_ADAPTER=auto|hardware|system|embedded|<part of a name>|wasm|cpu chooses another one.")
    .action(async (options: { json?: boolean }) => {
      wantedLimits();
      const wanted = wantedDevice();
      const auto = wanted === "auto";
      const { found, failed } = await adaptersOf(auto ? "hardware" : wanted);
      const adapters: Looked[] = [];
      for (const adapter of found) {
        const rate = adapter.verdict === "refused" ? {} : await lookAt(adapter.adapter);
        const hardware = auto && adapter.verdict === "chosen" ? { why: "a hardware GPU goes first" } : {};
        adapters.push({ ...adapter, ...hardware, ...rate });
      }
      const wasm = await measureWasm(wanted, auto && !adapters.some(({ verdict }) => verdict === "chosen"));
      const cpu = {
        driver: `${cpus()[0]?.model.trim() ?? "CPU"}, the reference executor`,
        threads: availableParallelism(),
      };
      if (options.json) {
        terminal.json({ adapters, ...(failed === undefined ? {} : { failed }), wasm, cpu }, { space: 2 });
        return;
      }
      const asked = wanted.startsWith("cpu") ? `\n  ${pc.green("chosen")}: asked for` : "";
      const blocks = [
        ...(failed === undefined ? [] : [`${pc.bold("WebGPU")}\n  ${MARKS.refused}: ${failed}`]),
        ...adapters.map(describeAdapter),
        describeWasm(wasm),
        `${pc.bold("cpu")}  ${cpu.driver}: slow, always there, --device cpu${asked}`,
      ];
      terminal.result(blocks.join("\n\n"));
    });
}

/** Where WebGPU does not load at all, that is one more thing to tell. */
async function adaptersOf(adapter: string): Promise<{ found: AdapterReport[]; failed?: string }> {
  try {
    return { found: await listAdapters({ adapter }) };
  } catch (reason) {
    if (!(reason instanceof UserError)) throw reason;
    return { found: [], failed: reason.message };
  }
}

/** A rate, or why there is none. */
type Measured<T> = T & { readonly gflopsPerS?: number; readonly notMeasured?: string };

type WasmReport = Measured<{
  readonly driver: string;
  readonly threads: number;
  readonly verdict: "chosen" | "usable" | "refused";
  readonly why: string;
}>;

/** An adapter, and what its kernels were found to rely on. */
type Looked = Measured<AdapterReport> & { readonly probe?: Probe | undefined };

const SIDE = 512;
/** Where that many products of `SIDE` would be done in `MEASURE_MS`, one of 64 times the work takes their place. */
const MANY = 64;
const LARGE_SIDE = 4 * SIDE;
const MEASURE_MS = 50;
/** Of which the best counts, however long they take. */
const LEAST_RUNS = 3;

/** What is found of an adapter once it is open. */
async function lookAt(adapter: string): Promise<Measured<{ readonly probe?: Probe | undefined }>> {
  try {
    const gpu = await openGpu({ adapter });
    try {
      return { probe: gpu.probe, ...(await measure(async (use) => use(createGpuRuntime(gpu)))) };
    } finally {
      gpu.close();
    }
  } catch (reason) {
    return { notMeasured: (reason as Error).message };
  }
}

/** GFLOP/s of a product of square matrices, the best of some that take `MEASURE_MS` together. */
async function measure(
  withOne: (use: (runtime: Runtime) => Promise<number>) => Promise<number>,
): Promise<{ gflopsPerS: number } | { notMeasured: string }> {
  try {
    const gflopsPerS = await withOne(async (runtime) => {
      const small = await productOf(runtime, SIDE);
      const best = await bestOf(small, MEASURE_MS);
      if (best > MEASURE_MS / MANY) return (2 * SIDE ** 3) / best / 1e6;
      const large = await productOf(runtime, LARGE_SIDE);
      return (2 * LARGE_SIDE ** 3) / (await bestOf(large, MEASURE_MS)) / 1e6;
    });
    return { gflopsPerS };
  } catch (reason) {
    return { notMeasured: (reason as Error).message };
  }
}

/** Computes one product and waits for it. */
async function productOf(runtime: Runtime, side: number): Promise<() => Promise<void>> {
  const tape = createTape();
  const [a, b] = [tape.state(`a ${side}`, f32([side, side])), tape.state(`b ${side}`, f32([side, side]))];
  // An element of the result is read: the promise is kept when the product is done.
  tape.output("y", tape.view(matmul(a, b), 0, [1]));
  const program = await runtime.compile(tape);
  return async () => void (await program.run({}));
}

async function bestOf(run: () => Promise<void>, ms: number): Promise<number> {
  // The first is slower: code is compiled, memory is touched.
  await run();
  const times: number[] = [];
  for (const start = performance.now(); performance.now() < start + ms || times.length < LEAST_RUNS; ) {
    const began = performance.now();
    await run();
    times.push(performance.now() - began);
  }
  return smallest(times);
}

/** What WebAssembly does here. */
async function measureWasm(wanted: string, first: boolean): Promise<WasmReport> {
  const asked = wanted.startsWith("wasm");
  const threads = Number(asked && wanted.split(":")[1]) || availableParallelism();
  const known = { driver: wasmName(threads), threads };
  const rate = await measure((use) => withRuntime(asked ? wanted : "wasm", use));
  if ("notMeasured" in rate) return { ...known, verdict: "refused", why: rate.notMeasured };
  if (asked) return { ...known, ...rate, verdict: "chosen", why: `asked for: ${wanted}` };
  if (first)
    return { ...known, ...rate, verdict: "chosen", why: "no hardware GPU: the CPU without a driver goes next" };
  return { ...known, ...rate, verdict: "usable", why: "reach it with GPT2_ADAPTER=wasm" };
}

function describeWasm(report: WasmReport): string {
  const lines = [`${pc.bold(report.driver)}  the CPU, without a driver`, `  ${MARKS[report.verdict]}: ${report.why}`];
  if (report.verdict !== "refused") lines.push(`  ${rateOf(report)}; memory up to 4 GiB; f32 only`);
  return lines.join("\n");
}

/** Two digits: no more is the same from one time to the next. */
function flopsPerS(gflops: number): string {
  return gflops < 1000
    ? `${Number(gflops.toPrecision(2))} GFLOP/s`
    : `${Number((gflops / 1000).toPrecision(2))} TFLOP/s`;
}

function rateOf({ gflopsPerS, notMeasured }: Measured<unknown>): string {
  const rate = gflopsPerS === undefined ? `not measured: ${notMeasured}` : flopsPerS(gflopsPerS);
  return `product of matrices: ${rate}`;
}

const MARKS = { chosen: pc.green("chosen"), usable: "usable", refused: pc.yellow("refused") };

/** A few lines about one adapter. */
export function describeAdapter(adapter: Looked): string {
  const { driver, kind, verdict, why, probe } = adapter;
  const mark = MARKS[verdict];
  const lines = [`${pc.bold(driver)}  ${kind}`, `  ${mark}: ${why}`];
  if (adapter.gflopsPerS !== undefined || adapter.notMeasured !== undefined) lines.push(`  ${rateOf(adapter)}`);
  const limits = LIMITS.flatMap(([label, name, show]) => {
    const value = adapter.limits[name];
    return value === undefined ? [] : [`${label} ${show(value)}`];
  });
  if (limits.length > 0) lines.push(`  ${limits.join(", ")}`);
  const features = adapter.features.filter((name) => FEATURES.test(name));
  if (limits.length > 0) lines.push(`  features: ${features.join(", ") || "none that kernels use"}`);
  const matrices = adapter.subgroupMatrices.map(({ componentType, resultComponentType, M, N, K }) => {
    return `${componentType} ${M}x${N}x${K}${resultComponentType === componentType ? "" : ` in ${resultComponentType}`}`;
  });
  if (matrices.length > 0) lines.push(`  subgroup matrices: ${matrices.join(", ")}`);
  if (probe && probe.passed.length > 0) lines.push(`  found to work: ${probe.passed.join(", ")}`);
  for (const { line } of probe?.faults ?? []) lines.push(`  ${pc.yellow("not used")}: ${line}`);
  return lines.join("\n");
}
