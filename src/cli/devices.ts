import { availableParallelism, cpus } from "node:os";
import { Command } from "commander";
import pc from "picocolors";
import { createTape } from "../autograd/tape.ts";
import { matmul } from "../kernels/matmul.ts";
import { f32 } from "../kernels/op.ts";
import { type AdapterReport, listAdapters } from "../platform/node.ts";
import { wasmName } from "../runtime/wasm.ts";
import { openRuntime, threadsOf } from "./runtime.ts";
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
    .description("List the adapters of this machine, their limits, and which one is used and why.")
    .option("--json", "print everything as JSON")
    .addHelpText("after", "\nGPT2_ADAPTER=auto|hardware|system|embedded|<part of a name>|wasm|cpu chooses another one.")
    .action(async (options: { json?: boolean }) => {
      const adapters = await listAdapters();
      const cpu = {
        driver: `${cpus()[0]?.model.trim() ?? "CPU"}, the reference executor`,
        threads: availableParallelism(),
      };
      const wasm = await measureWasm();
      if (options.json) {
        terminal.json({ adapters, wasm, cpu }, { space: 2 });
        return;
      }
      const blocks = [...adapters.map(describeAdapter), describeWasm(wasm)];
      const asked = process.env.GPT2_ADAPTER?.startsWith("cpu") ? `\n  ${pc.green("chosen")}: asked for` : "";
      terminal.result(
        [...blocks, `${pc.bold("cpu")}  ${cpu.driver}: slow, always there, --device cpu${asked}`].join("\n\n"),
      );
    });
}

interface WasmReport {
  readonly driver: string;
  readonly threads: number;
  readonly verdict: "chosen" | "usable" | "refused";
  readonly why: string;
  /** Of a product of 512 x 512 matrices; undefined where there is no WebAssembly. */
  readonly gflopsPerS?: number;
}

const SIDE = 512;
/** Long enough for an engine to have compiled the kernels well. */
const MEASURE_MS = 250;

/** What WebAssembly does here: products for a while, of which the best counts. */
async function measureWasm(): Promise<WasmReport> {
  const threads = availableParallelism();
  const asked = threadsOf(undefined) !== undefined;
  const known = { driver: wasmName(threads), threads };
  try {
    const runtime = await openRuntime("wasm");
    const tape = createTape();
    matmul(tape.state("a", f32([SIDE, SIDE])), tape.state("b", f32([SIDE, SIDE])));
    const program = await runtime.compile(tape);
    let best = Number.POSITIVE_INFINITY;
    for (const start = performance.now(); performance.now() < start + MEASURE_MS; ) {
      const began = performance.now();
      await program.run({});
      best = Math.min(best, performance.now() - began);
    }
    runtime.close();
    const why = asked ? `asked for: ${process.env.GPT2_ADAPTER}` : "no driver needed: reach it with --device wasm";
    return { ...known, verdict: asked ? "chosen" : "usable", why, gflopsPerS: (2 * SIDE ** 3) / best / 1e6 };
  } catch (reason) {
    return { ...known, verdict: "refused", why: (reason as Error).message };
  }
}

function describeWasm({ driver, verdict, why, gflopsPerS }: WasmReport): string {
  const lines = [`${pc.bold(driver)}  the CPU, without a driver`, `  ${MARKS[verdict]}: ${why}`];
  if (gflopsPerS !== undefined)
    lines.push(
      `  product of ${SIDE} x ${SIDE} matrices: ${gflopsPerS.toFixed(0)} GFLOP/s; memory up to 4 GiB; f32 only`,
    );
  return lines.join("\n");
}

const MARKS = { chosen: pc.green("chosen"), usable: "usable", refused: pc.yellow("refused") };

/** A few lines about one adapter. */
export function describeAdapter(adapter: AdapterReport): string {
  const { driver, kind, verdict, why } = adapter;
  const mark = MARKS[verdict];
  const lines = [`${pc.bold(driver)}  ${kind}`, `  ${mark}: ${why}`];
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
  return lines.join("\n");
}
