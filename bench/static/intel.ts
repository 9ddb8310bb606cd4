/**
 * Intel's GPUs, which are not there: Mesa's ANV compiles for them where a library answers for the kernel's driver. Mesa's own does, drm-shim,
 * which no distribution packs: from Mesa's source, of the version of the driver,
 *
 *   meson setup build -Dtools=drm-shim,intel -Dvulkan-drivers= -Dgallium-drivers= -Dplatforms= -Dopengl=false -Dllvm=disabled
 *   ninja -C build src/intel/tools/libintel_noop_drm_shim.so
 *
 * and $INTEL_DRM_SHIM names what comes out.
 */
import { existsSync } from "node:fs";
import type { Machine } from "./compile.ts";
import type { Mix } from "./machine-code.ts";

const DRIVER = "/usr/share/vulkan/icd.d/intel_icd.json";

/** As drm-shim names them: Skylake (Gen9), Tiger Lake (Xe-LP), Alchemist (Xe-HPG), Meteor Lake (Xe-LPG), Lunar Lake and Battlemage (Xe2). */
export const INTEL_FAMILIES = ["skl", "icl", "tgl", "adl", "dg2", "mtl", "lnl", "bmg"];

/** What is missing to compile for Intel's GPUs besides what the layer wants; undefined where nothing is. */
export function missingForIntel(): string | undefined {
  if (!existsSync(DRIVER)) return "Mesa's ANV (Debian, Ubuntu: mesa-vulkan-drivers)";
  const { INTEL_DRM_SHIM: shim } = process.env;
  return shim && existsSync(shim) ? undefined : "$INTEL_DRM_SHIM, see bench/static/intel.ts";
}

/** What a process is started with that is to find this GPU. */
export function intelEnvironment(family: string): Record<string, string> {
  return { LD_PRELOAD: process.env.INTEL_DRM_SHIM!, INTEL_STUB_GPU_PLATFORM: family, VK_DRIVER_FILES: DRIVER };
}

/** What ANV says of a kernel. Its threads have 128 registers each, however many there are: there is no count of those beside each other. */
export function saidByIntel({ statistics, texts }: Machine) {
  const statistic = (name: string): number => statistics[name] ?? 0;
  const instructions = instructionsOf(texts["GEN Assembly"] ?? "");
  const loop = mainLoopOf(instructions);
  return {
    registers: statistic("Max live registers"),
    spilled: statistic("Spill Count"),
    scratchBytes: statistic("Scratch Memory Size"),
    ldsBytes: statistic("Workgroup Memory Size"),
    codeBytes: 16 * statistic("Instruction Count"),
    latency: statistic("Cycle Count"),
    throughput: statistic("Cycle Count"),
    mix: mixOf(instructions),
    ...(loop ? { loop: mixOf(loop) } : {}),
  };
}

/** Of the lines of its disassembly: labels, and instructions, each with what follows it indented. */
function instructionsOf(assembly: string): string[] {
  const lines: string[] = [];
  for (const line of assembly.split("\n")) {
    if (/^\s+\S/.test(line) && lines.length > 0) lines[lines.length - 1] += ` ${line.trim()}`;
    else if (/^(LABEL|\(|[a-z])/.test(line) && !line.startsWith("Native")) lines.push(line.trim());
  }
  return lines;
}

/** Of loops that hold no other, the one with most multiply-adds, or instructions. */
function mainLoopOf(instructions: readonly string[]): readonly string[] | undefined {
  const loops = instructions.flatMap((text, end) => {
    const [, label] = /\bwhile\(.*JIP:\s+(LABEL\d+)/.exec(text) ?? [];
    const begin = label === undefined ? -1 : instructions.lastIndexOf(`${label}:`, end);
    return begin < 0 ? [] : [instructions.slice(begin, end)];
  });
  const inner = loops.filter((loop) => !loop.some((text) => /\bwhile\(/.test(text)));
  const weight = (loop: readonly string[]): number => 1e6 * mixOf(loop).multiplyAdds + loop.length;
  return inner.sort((a, b) => weight(b) - weight(a))[0];
}

function mixOf(instructions: readonly string[]): Mix {
  const mix = {
    ...{ vector: 0, multiplyAdds: 0, matrix: 0, ldsReads: 0, ldsWrites: 0 },
    ...{ memoryReads: 0, memoryWrites: 0, scratch: 0, waits: 0, scalar: 0 },
  };
  for (const instruction of instructions) {
    const [, name = ""] = /^(?:\([^)]*\)\s*)?([a-z_0-9]+)/.exec(instruction) ?? [];
    if (name.startsWith("send")) {
      const message = instruction.slice(instruction.indexOf("MsgDesc"));
      const writes = /write|store/.test(message);
      if (/block (read|write), bti 253|scratch/.test(message)) mix.scratch++;
      else if (/Surface = 254/.test(message) || /\bslm\b/.test(instruction)) writes ? mix.ldsWrites++ : mix.ldsReads++;
      else if (/surface|load|store/i.test(message)) writes ? mix.memoryWrites++ : mix.memoryReads++;
    } else if (name === "sync") mix.waits++;
    else if (/^(if|else|endif|while|break|cont|jmpi|nop|LABEL)/.test(name) || instruction.startsWith("LABEL"))
      mix.scalar++;
    else {
      mix.vector++;
      if (/^(mad|dpas)/.test(name)) mix.multiplyAdds++;
    }
  }
  return mix;
}
