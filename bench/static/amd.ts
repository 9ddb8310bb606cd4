/** AMD's GPUs, which are not there: Mesa's RADV compiles for any of them that it is told to. */
import { existsSync } from "node:fs";
import type { Dispatch } from "../../src/kernels/dispatch.ts";
import { type MatmulVariant, matmulVariants } from "../../src/kernels/gpu/matmul/variants.ts";
import type { Machine, Said } from "./compile.ts";
import { missingForLayer } from "./layer.ts";
import { type Loop, loopsOf, type Mix, mainLoop, mixOfKernel } from "./machine-code.ts";

const DRIVER = "/usr/share/vulkan/icd.d/radeon_icd.json";

/** As RADV names them: GCN, CDNA, RDNA to RDNA 4. */
export const AMD_FAMILIES = [
  ...["tonga", "iceland", "carrizo", "fiji", "stoney", "polaris10", "polaris11", "polaris12", "vegam"],
  ...["vega10", "raven", "vega12", "vega20", "raven2", "renoir", "mi100", "mi200", "gfx940"],
  ...["navi10", "navi12", "navi14", "navi21", "navi22", "navi23", "vangogh", "navi24", "rembrandt"],
  ...["raphael_mendocino", "navi31", "navi32", "navi33", "phoenix", "phoenix2"],
  ...["gfx1150", "gfx1151", "gfx1152", "gfx1153", "gfx1200", "gfx1201"],
];

/** What this machine lacks to compile for AMD's GPUs; undefined where nothing is missing. */
export function missingForAmd(): string | undefined {
  return missingForLayer() ?? (existsSync(DRIVER) ? undefined : "Mesa's RADV (Debian, Ubuntu: mesa-vulkan-drivers)");
}

/** A GPU by RADV's name for it. Sets up this process: the device opened next is that GPU. */
export function pretendAmd(family: string): void {
  Object.assign(process.env, { VK_DRIVER_FILES: DRIVER, RADV_FORCE_FAMILY: family });
}

/** What RADV says of a kernel. */
export function saidByAmd({ statistics, texts }: Machine, dispatch: Dispatch): Said {
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

/**
 * The loop that goes through K slab by slab, with the one in it that computes, where there is one, as often as it is run for a slab;
 * loops that only stage are counted once.
 */
function slabOf(dispatch: Dispatch, loops: readonly Loop[], main: Loop | undefined): Said["slab"] {
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
