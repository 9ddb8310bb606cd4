/**
 * Random shapes for every op: none, one, primes, and the sizes around packs, tiles and workgroups; forward and backward, against
 * the CPU in float64, with guard zones behind all tensors and memory full of NaN (test/support/guard.ts).
 * `npx tsx scripts/fuzz-shapes.ts [--runs 100] [--seed 1] [--adapters embedded,system] [--ops matmul,gelu] [--out file.json]`;
 * a failure is shrunk and printed with its seed and path.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { openTestGpu, type TestAdapter } from "../test/support/gpu.ts";
import { checkRandomCase, RANDOM_CASES, randomCases } from "../test/support/random-cases.ts";

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    adapters: { type: "string", default: "embedded,system" },
    ops: { type: "string", default: Object.keys(RANDOM_CASES).join(",") },
    out: { type: "string" },
  },
});

interface Fuzzed {
  readonly adapter: string;
  readonly op: string;
  readonly cases: number;
  readonly worst: number;
  /** Of a failure: fast-check's words. */
  readonly failed?: string;
}

async function fuzz(adapter: TestAdapter, op: string): Promise<Fuzzed> {
  let cases = 0;
  let worst = 0;
  const property = fc.asyncProperty(randomCases(adapter, op), fc.nat({ max: 1e6 }), async (check, seed) => {
    worst = Math.max(worst, await checkRandomCase(adapter, op, check, seed));
    cases++;
  });
  const details = await fc.check(property, { numRuns: Number(options.runs), seed: Number(options.seed) });
  const failed = details.failed ? { failed: fc.defaultReportMessage(details)! } : {};
  return { adapter, op, cases, worst: Number(worst.toPrecision(3)), ...failed };
}

async function run(): Promise<void> {
  const began = new Date();
  const results: Fuzzed[] = [];
  for (const adapter of options.adapters.split(",") as TestAdapter[]) {
    for (const op of options.ops.split(",")) {
      const result = await fuzz(adapter, op);
      results.push(result);
      console.log(`${adapter} ${op}: ${result.cases} cases, worst error ${result.worst}${result.failed ?? ""}`);
    }
    (await openTestGpu(adapter)).close();
  }
  const report = {
    command: `npx tsx scripts/fuzz-shapes.ts --runs ${options.runs} --seed ${options.seed} --adapters ${options.adapters}`,
    date: began.toISOString().slice(0, 10),
    machine: `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}`,
    minutes: Math.round((Date.now() - began.getTime()) / 60_000),
    cases: results.reduce((sum, { cases }) => sum + cases, 0),
    failures: results.filter(({ failed }) => failed).length,
    results,
  };
  console.log(`${report.cases} cases, ${report.failures} ops with failures`);
  if (options.out) writeFileSync(options.out, `${JSON.stringify(report, null, 1)}\n`);
  if (report.failures > 0) process.exitCode = 1;
}

await run();
