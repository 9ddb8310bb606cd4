/**
 * What the compilers of real GPUs make of the kernels of a training step and of decoding, on a machine without such a GPU: Mesa's RADV
 * compiles for AMD's, and where the library of drm.c answers for the kernel's driver ANV for Intel's, and NVK for NVIDIA's.
 * `npx tsx bench/static/index.ts [--families navi31,navi21,vega20] [--workloads "step f32,token"] [--only matmul] [--asm folder] [--out folder] [--json]`. Needs Linux, Mesa's Vulkan drivers, gcc and Vulkan's headers.
 *
 * Families, as Mesa names them: polaris10, vega20, renoir, navi21 (RDNA 2), navi31 (RDNA 3: matrix units), gfx1150, gfx1201 (RDNA 4); skl, icl,
 * tgl (Xe-LP), adl, dg2, mtl, lnl (Xe2), bmg; tu102 (Turing), ga102 (Ampere), ad102 (Ada), which Mesa's NVK compiles for and Debian has since 13.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openGpu } from "../../src/platform/node.ts";
import { AMD_FAMILIES, missingForAmd, pretendAmd, saidByAmd } from "./amd.ts";
import { createCompiler, type Report, type SaidOf } from "./compile.ts";
import { hasPretendedGpu, runWithPretendedGpu } from "./drm.ts";
import { INTEL_FAMILIES, missingForIntel, pretendIntel, saidByIntel } from "./intel.ts";
import { recordPipelines } from "./layer.ts";
import { missingForNvidia, NVIDIA_FAMILIES, pretendNvidia, saidByNvidia } from "./nvidia.ts";
import { printReport } from "./print.ts";
import { WORKLOADS } from "./workloads.ts";

const { values: options } = parseArgs({
  options: {
    families: { type: "string", default: "navi31,navi21,vega20" },
    workloads: { type: "string", default: WORKLOADS.map(({ name }) => name).join(",") },
    only: { type: "string", default: "." },
    asm: { type: "string" },
    out: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

interface Maker {
  readonly families: readonly string[];
  missing(): string | undefined;
  pretend(family: string): void;
  readonly said: (family: string) => SaidOf;
  /** Its driver wants a GPU of the kernel's. */
  readonly kernel: boolean;
  /** Accesses to buffers are checked, as Dawn asks for: not where only this driver does it by branches. */
  readonly checks: boolean;
}

const AMD: Maker = {
  families: AMD_FAMILIES,
  missing: missingForAmd,
  pretend: pretendAmd,
  said: () => saidByAmd,
  kernel: false,
  checks: true,
};
const INTEL: Maker = {
  families: INTEL_FAMILIES,
  missing: missingForIntel,
  pretend: pretendIntel,
  said: () => saidByIntel,
  kernel: true,
  checks: true,
};
const NVIDIA: Maker = {
  families: NVIDIA_FAMILIES,
  missing: missingForNvidia,
  pretend: pretendNvidia,
  said: (family) => (machine) => saidByNvidia(machine, family),
  kernel: true,
  checks: false,
};
const MAKERS = [AMD, INTEL, NVIDIA];

const names = listed(
  "workload",
  options.workloads,
  WORKLOADS.map(({ name }) => name),
);
const families = listed(
  "family",
  options.families,
  MAKERS.flatMap((maker) => maker.families),
);

/** The names of a list with commas, all of which there are. */
function listed(what: string, text: string, there: readonly string[]): string[] {
  const all = text.split(",").map((name) => name.trim());
  const unknown = all.find((name) => !there.includes(name));
  if (unknown === undefined) return all;
  console.error(`no ${what} "${unknown}"; there are ${there.join(", ")}`);
  process.exit(2);
}

interface FamilyReport {
  readonly family: string;
  readonly driver: string;
  readonly workloads: readonly Report[];
}

const makers = MAKERS.filter((maker) => families.some((family) => maker.families.includes(family)));
const missing = makers.map((maker) => maker.missing()).find((what) => what !== undefined);
if (missing) {
  console.error(`bench/static wants ${missing}`);
  process.exit(2);
}
// What answers for a kernel's driver is there before a process is.
if (makers.some(({ kernel }) => kernel) && !hasPretendedGpu()) process.exit(runWithPretendedGpu());

const folder = mkdtempSync(join(tmpdir(), "static-"));
try {
  for (const family of families) await reportFamily(family);
} finally {
  rmSync(folder, { recursive: true });
}
// Dawn's threads wait for a GPU that never answers.
process.exit(0);

async function reportFamily(family: string): Promise<void> {
  const records = join(folder, family);
  const maker = makers.find(({ families }) => families.includes(family))!;
  maker.pretend(family);
  recordPipelines(records, maker.checks);
  // It answers nothing that it is asked to compute.
  const gpu = await openGpu({ adapter: "hardware", probe: false });
  const compiler = createCompiler(gpu, records, maker.said(family));
  const workloads: Report[] = [];
  for (const workload of WORKLOADS.filter(({ name }) => names.includes(name))) {
    const halves = workload.name.includes("f16");
    if (halves && !gpu.features.has("shader-f16")) continue;
    workloads.push(await compiler.report(workload, new RegExp(options.only)));
  }
  const report: FamilyReport = { family, driver: gpu.info.description, workloads };
  if (options.json) console.log(JSON.stringify(report));
  else printReport(family, workloads);
  if (options.out) {
    mkdirSync(options.out, { recursive: true });
    writeFileSync(join(options.out, `static-${family}.json`), written(report));
  }
  if (options.asm) {
    const into = join(options.asm, family);
    mkdirSync(into, { recursive: true });
    for (const [name, text] of compiler.code) writeFileSync(join(into, `${name}.txt`), text);
  }
}

/** JSON with a line for each kernel, so that a change of one is a change of a line. */
function written({ workloads, ...rest }: FamilyReport): string {
  const parts = workloads.map(({ kernels, ...count }) => {
    const rows = kernels.map((kernel) => `        ${JSON.stringify(kernel)}`).join(",\n");
    return `    {\n      "count": ${JSON.stringify(count)},\n      "kernels": [\n${rows}\n      ]\n    }`;
  });
  const head = JSON.stringify(rest).slice(1, -1);
  return `{\n  ${head},\n  "workloads": [\n${parts.join(",\n")}\n  ]\n}\n`;
}
