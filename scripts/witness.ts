/**
 * Every op case (f32 and f16, kernels of software drivers and of GPUs) and a tiny training run on wgpu, as Deno brings it, beside
 * Dawn without subgroups, both on lavapipe: `npx tsx scripts/witness.ts [--out file.json]`. Fails unless all are right and all bits are the same,
 * but for those that WGSL leaves open.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { openGpu } from "../src/platform/node.ts";
import { createGpuRuntime } from "../src/runtime/gpu.ts";
import { trainTiny } from "../test/browser/tiny.ts";
import { bundle } from "../test/support/chromium.ts";
import { LAVAPIPE } from "../test/support/lavapipe.ts";
import { hasDeno, runInDeno } from "../test/tools/deno.ts";
import { allCases, isOpen, runCases } from "../test/witness/cases.ts";
import type { Testimony } from "../test/witness/script.ts";

/** As in the tests of ops. */
const BOUND = 1e-5;

const { values: options } = parseArgs({ options: { out: { type: "string" } } });
if (!hasDeno || !LAVAPIPE) throw new Error("wants the package deno, and Mesa's lavapipe");
Object.assign(process.env, LAVAPIPE);
const began = new Date();
const told = JSON.parse(await runInDeno(await bundle("witness/deno-all.ts"), LAVAPIPE)) as Testimony;
const gpu = await openGpu({ adapter: "llvmpipe", features: ["shader-f16"] });
const cases = await runCases(gpu, allCases());
const runtime = createGpuRuntime(gpu);
const run = await trainTiny(runtime);
runtime.close();
gpu.close();
const all = allCases();
const both = (name: string) => [cases[name]!, told.cases[name]!] as const;
const failed = all.filter(({ name }) => both(name).some(({ error }) => !(error < BOUND)));
const differing = all.filter((one) => both(one.name)[0].bits !== both(one.name)[1].bits && !failed.includes(one));
const report = {
  command: "npx tsx scripts/witness.ts",
  date: began.toISOString().slice(0, 10),
  machine: `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}`,
  minutes: Math.round((Date.now() - began.getTime()) / 60_000),
  dawn: gpu.driver,
  wgpu: told.driver,
  faults: told.faults,
  cases: all.length,
  sameBits: all.length - failed.length - differing.length,
  // Which WGSL leaves open; how far each is from the CPU in float64.
  otherBits: differing.map((one) => ({
    case: one.name,
    open: isOpen(one),
    errors: both(one.name).map(({ error }) => error),
  })),
  failed: failed.map(({ name }) => ({ case: name, dawn: cases[name], wgpu: told.cases[name] })),
  trainingSame: JSON.stringify(run) === JSON.stringify(told.run),
};
console.log(JSON.stringify(report, null, 2));
if (options.out) writeFileSync(options.out, `${JSON.stringify(report, null, 2)}\n`);
if (failed.length > 0 || !differing.every(isOpen) || !report.trainingSame) process.exitCode = 1;
