import { availableParallelism, cpus } from "node:os";
import { Command } from "commander";
import pc from "picocolors";
import { type AdapterReport, listAdapters } from "../platform/node.ts";
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
    .addHelpText("after", "\nGPT2_ADAPTER=auto|hardware|system|embedded|<part of a name>|cpu chooses another one.")
    .action(async (options: { json?: boolean }) => {
      const adapters = await listAdapters();
      const cpu = {
        driver: `${cpus()[0]?.model.trim() ?? "CPU"}, the reference executor`,
        threads: availableParallelism(),
      };
      if (options.json) {
        terminal.json({ adapters, cpu }, { space: 2 });
        return;
      }
      const blocks = adapters.map(describeAdapter);
      const asked = process.env.GPT2_ADAPTER?.startsWith("cpu") ? `\n  ${pc.green("chosen")}: asked for` : "";
      terminal.result(
        [...blocks, `${pc.bold("cpu")}  ${cpu.driver}: slow, always there, --device cpu${asked}`].join("\n\n"),
      );
    });
}

/** A few lines about one adapter. */
export function describeAdapter(adapter: AdapterReport): string {
  const { driver, kind, verdict, why } = adapter;
  const mark = { chosen: pc.green("chosen"), usable: "usable", refused: pc.yellow("refused") }[verdict];
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
