/**
 * Intel's GPUs, which are not there: Mesa's ANV compiles for them where drm.c answers for the kernel's driver, which has to be there before
 * a process is.
 */
import { existsSync } from "node:fs";
import type { Machine, Said } from "./compile.ts";
import { pretendGpu } from "./drm.ts";
import { missingForLayer } from "./layer.ts";
import type { Mix } from "./machine-code.ts";

const DRIVER = "/usr/share/vulkan/icd.d/intel_icd.json";

interface IntelGpu {
  /** Of PCI, by which ANV knows it. */
  readonly device: number;
  readonly slices: number;
  /** Of a slice: subslices, of Xe pairs of them, of Xe-HPG and Xe2 cores. */
  readonly subslices: number;
  /** Of a subslice. */
  readonly units: number;
  /** Memory of its own, in GiB. */
  readonly memory: number;
}

/** As Mesa names them, each with a GPU that was sold. */
const GPUS: Readonly<Record<string, IntelGpu>> = {
  skl: { device: 0x1912, slices: 1, subslices: 3, units: 8, memory: 0 }, // Skylake, Gen9: HD Graphics 530
  icl: { device: 0x8a52, slices: 1, subslices: 8, units: 8, memory: 0 }, // Ice Lake, Gen11
  tgl: { device: 0x9a49, slices: 1, subslices: 6, units: 16, memory: 0 }, // Tiger Lake, Xe-LP
  adl: { device: 0x4680, slices: 1, subslices: 2, units: 16, memory: 0 }, // Alder Lake, Xe-LP
  dg2: { device: 0x5690, slices: 1, subslices: 32, units: 16, memory: 16 }, // Alchemist, Xe-HPG: Arc A770M
  mtl: { device: 0x7d60, slices: 1, subslices: 4, units: 16, memory: 0 }, // Meteor Lake, Xe-LPG
  lnl: { device: 0x64a0, slices: 1, subslices: 8, units: 8, memory: 0 }, // Lunar Lake, Xe2
  bmg: { device: 0xe20b, slices: 1, subslices: 20, units: 8, memory: 12 }, // Battlemage, Xe2: Arc B580
};

export const INTEL_FAMILIES = Object.keys(GPUS);

/** What this machine lacks to compile for Intel's GPUs; undefined where nothing is missing. */
export function missingForIntel(): string | undefined {
  return missingForLayer() ?? (existsSync(DRIVER) ? undefined : "Mesa's ANV (Debian, Ubuntu: mesa-vulkan-drivers)");
}

/** Sets up this process, which has the library of drm.c: the device opened next is that GPU. */
export function pretendIntel(family: string): void {
  const { device, slices, subslices, units, memory } = GPUS[family]!;
  process.env.VK_DRIVER_FILES = DRIVER;
  pretendGpu("i915", 0x8086, device, [slices, subslices, units, memory]);
}

/** What ANV says of a kernel. Its threads have 128 registers each, however many there are: there is no count of those beside each other. */
export function saidByIntel({ statistics, texts }: Machine): Said {
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
      if (/\bfence\b/.test(message)) mix.scalar++;
      // of Xe-HPG and later a surface of its own (`ss`)
      else if (/block (read|write), bti 253|scratch|\bsurface_state_index\b/.test(message)) mix.scratch++;
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
