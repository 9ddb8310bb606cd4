/**
 * Every op case (f32 and f16, kernels of software drivers and of GPUs) and a tiny training run on wgpu, as Deno brings it, beside
 * Dawn without subgroups, both on lavapipe: `npx tsx scripts/witness.ts [--out file.json]`. Fails unless all bits are the same.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { openGpu } from "../src/platform/node.ts";
import { createGpuRuntime } from "../src/runtime/gpu.ts";
import { trainTiny } from "../test/browser/tiny.ts";
import { bundle } from "../test/support/chromium.ts";
import { hasDeno, runInDeno } from "../test/support/deno.ts";
import { LAVAPIPE } from "../test/support/lavapipe.ts";
import { allCases, runCases } from "../test/witness/cases.ts";
import type { Testimony } from "../test/witness/script.ts";

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
const names = Object.keys(cases);
const failed = names.filter((name) =>
  [cases[name], told.cases[name]].some((hash) => !/^[0-9a-f]{8}$/.test(hash ?? "")),
);
const differing = names.filter((name) => cases[name] !== told.cases[name] && !failed.includes(name));
const report = {
  command: "npx tsx scripts/witness.ts",
  date: began.toISOString().slice(0, 10),
  machine: `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}`,
  minutes: Math.round((Date.now() - began.getTime()) / 60_000),
  dawn: gpu.driver,
  wgpu: told.driver,
  faults: told.faults,
  cases: names.length,
  same: names.length - failed.length - differing.length,
  differing,
  failed: failed.map((name) => ({ case: name, dawn: cases[name], wgpu: told.cases[name] })),
  trainingSame: JSON.stringify(run) === JSON.stringify(told.run),
};
console.log(JSON.stringify(report, null, 2));
if (options.out) writeFileSync(options.out, `${JSON.stringify(report, null, 2)}\n`);
if (report.same < names.length || !report.trainingSame) process.exitCode = 1;
