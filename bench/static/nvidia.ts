/**
 * NVIDIA's GPUs, which are not there: Mesa's NVK compiles for them where drm.c answers for the kernel's driver. Its compiler, NAK, is not
 * NVIDIA's own, which most of these GPUs have; registers and instructions are the same.
 */
import { existsSync } from "node:fs";
import type { Machine, Said } from "./compile.ts";
import { pretendGpu } from "./drm.ts";
import { missingForLayer } from "./layer.ts";
import type { Mix } from "./machine-code.ts";

const DRIVER = "/usr/share/vulkan/icd.d/nouveau_icd.json";

interface NvidiaGpu {
  /** Of PCI. */
  readonly device: number;
  /** By the kernel's number for it. */
  readonly chipset: number;
  readonly clusters: number;
  /** Pairs of multiprocessors. */
  readonly pairs: number;
  /** In GiB. */
  readonly memory: number;
  /** Upper bytes of the classes of its units that copy and compute. */
  readonly copies: number;
  readonly computes: number;
  /** Subgroups that a quarter of a multiprocessor holds at most. */
  readonly waves: number;
}

const TURING = { copies: 0xc5, computes: 0xc5, waves: 8 };
const AMPERE = { copies: 0xc7, computes: 0xc7, waves: 12 };
const ADA = { copies: 0xc7, computes: 0xc9, waves: 12 };

/** As nouveau names their chips, each with a GPU that was sold. */
const GPUS: Readonly<Record<string, NvidiaGpu>> = {
  tu102: { device: 0x1e07, chipset: 0x162, clusters: 6, pairs: 34, memory: 11, ...TURING }, // GeForce RTX 2080 Ti
  ga102: { device: 0x2204, chipset: 0x172, clusters: 7, pairs: 41, memory: 24, ...AMPERE }, // GeForce RTX 3090
  ad102: { device: 0x2684, chipset: 0x192, clusters: 11, pairs: 64, memory: 24, ...ADA }, // GeForce RTX 4090
};

export const NVIDIA_FAMILIES = Object.keys(GPUS);

/** What this machine lacks to compile for NVIDIA's GPUs; undefined where nothing is missing. */
export function missingForNvidia(): string | undefined {
  return missingForLayer() ?? (existsSync(DRIVER) ? undefined : "Mesa's NVK (Debian 13: mesa-vulkan-drivers)");
}

/** Sets up this process, which has the library of drm.c: the device opened next is that GPU. */
export function pretendNvidia(family: string): void {
  const { device, chipset, clusters, pairs, memory, copies, computes } = GPUS[family]!;
  process.env.VK_DRIVER_FILES = DRIVER;
  pretendGpu("nouveau", 0x10de, device, [chipset, clusters, pairs, memory, copies, computes]);
}

/** What NVK says of a kernel: of workgroup memory and cycles, nothing. `family`: whose multiprocessors hold it. */
export function saidByNvidia({ statistics, texts }: Machine, family: string): Said {
  const blocks = blocksOf(texts["NAK assembly"] ?? "");
  const registers = statistics["Number of GPRs"] ?? 0;
  const loop = mainLoopOf(blocks);
  return {
    registers,
    spilled: 0, // of what is in scratch memory, it does not say why
    scratchBytes: statistics["SLM Size"] ?? 0,
    // a quarter of a multiprocessor has 512 registers for each of its lanes, which are given out by eights
    waves: Math.min(GPUS[family]!.waves, Math.floor(512 / (8 * Math.ceil(registers / 8)))),
    codeBytes: statistics["Code Size"] ?? 0,
    mix: mixOf(blocks.flatMap(({ instructions }) => instructions)),
    ...(loop ? { loop: mixOf(loop) } : {}),
  };
}

interface Block {
  readonly instructions: readonly string[];
  /** Places of the blocks that may come next. */
  readonly next: readonly number[];
}

/** Of its text: blocks as `block 2 L7 [1] -> {`, lines, `} -> [5]`. */
function blocksOf(assembly: string): Block[] {
  return [...assembly.matchAll(/^block\S* \d+ \S+ \[[^\]]*\] -> \{\n(.*?)^\} -> \[([^\]]*)\]/gms)].map(
    ([, lines, next]) => ({
      instructions: lines!.split("\n").filter((line) => line.trim() !== ""),
      next: next!.split(",").filter(Boolean).map(Number),
    }),
  );
}

/**
 * Of loops, each without those that it holds, the one with most multiply-adds, or instructions. A loop is what comes back to its beginning:
 * among its blocks others may be written, to which it leaves.
 */
function mainLoopOf(blocks: readonly Block[]): readonly string[] | undefined {
  const before = blocks.map((_, at) => blocks.flatMap(({ next }, from) => (next.includes(at) ? [from] : [])));
  const loops = new Map<number, Set<number>>();
  blocks.forEach(({ next }, end) => {
    for (const begin of next.filter((at) => at <= end)) {
      const loop = loops.get(begin) ?? new Set([begin]);
      loops.set(begin, loop);
      const open = [end];
      for (let at = open.pop(); at !== undefined; at = open.pop()) {
        if (loop.has(at)) continue;
        loop.add(at);
        open.push(...before[at]!);
      }
    }
  });
  const all = [...loops].map(([begin, loop]) => {
    const within = [...loops].filter(([other]) => other !== begin && loop.has(other)).map(([, inner]) => inner);
    const own = [...loop].filter((at) => !within.some((inner) => inner.has(at)));
    return own.flatMap((at) => blocks[at]!.instructions);
  });
  const weight = (loop: readonly string[]): number => 1e6 * mixOf(loop).multiplyAdds + loop.length;
  return all.sort((a, b) => weight(b) - weight(a))[0];
}

// Synchronises, goes elsewhere, or does nothing.
const CONTROL = /^(nop|bra|exit|bclear|bssy|bsync|break|warpsync|bar|membar|cctl|kill|s2r|cs2r|ldc|depbar)\b/;

function mixOf(instructions: readonly string[]): Mix {
  const mix = {
    ...{ vector: 0, multiplyAdds: 0, matrix: 0, ldsReads: 0, ldsWrites: 0 },
    ...{ memoryReads: 0, memoryWrites: 0, scratch: 0, waits: 0, scalar: 0 },
  };
  for (const instruction of instructions) {
    // `@!p0 r1 = ld.global.a64.b32 [r2..4] // delay=5 wt=000001 wr:0`
    const [text = "", scheduling = ""] = instruction.split("//");
    if (/\bwt=/.test(scheduling)) mix.waits++;
    const [, to = "", name = ""] = /^\s*(?:@\S+\s+)?(?:(.*?)\s+=\s+)?(\S+)/.exec(text) ?? [];
    const writes = /^(st|atom|red)\b/.test(name);
    if (/^(ld|st|atom|red)\..*\blocal\b/.test(name)) mix.scratch++;
    else if (/^(ld|st|atom|red)\..*\bshared\b/.test(name)) writes ? mix.ldsWrites++ : mix.ldsReads++;
    else if (/^(ld|st|atom|red)\./.test(name)) writes ? mix.memoryWrites++ : mix.memoryReads++;
    else if (CONTROL.test(name) || /^ur\d/.test(to)) mix.scalar++;
    else {
      mix.vector++;
      if (/^[hi]mma\b/.test(name)) mix.matrix++;
      if (/^ffma\b/.test(name)) mix.multiplyAdds++;
      if (/^hfma2\b/.test(name)) mix.multiplyAdds += 2;
    }
  }
  return mix;
}
