/**
 * The worst error of each op against the CPU in float64, over all cases of the op tests, on the drivers of this machine: as
 * they are, and with the shaders rewritten to be as bad as WGSL allows (test/support/adversary/).
 * `npx tsx scripts/op-errors.ts [--modes none,up,down,mixed] [--adapters embedded,system] [--out file.json]`.
 * Fails if a test fails.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const { values: options } = parseArgs({
  options: {
    modes: { type: "string", default: "none,up,down,mixed" },
    adapters: { type: "string", default: "embedded,system" },
    out: { type: "string" },
  },
});

interface Comparison {
  readonly op: string;
  readonly adapter: string;
  readonly case: string;
  readonly tensor: string;
  readonly error: number;
  readonly bound: number;
}

function run(mode: string, adapter: string): { comparisons: Comparison[]; passed: boolean } {
  const file = join(tmpdir(), `op-errors-${process.pid}.jsonl`);
  writeFileSync(file, "");
  const args = ["node_modules/vitest/vitest.mjs", "run", "--testTimeout=300000", "test/kernels"];
  const env = { ...process.env, GPT2_ERRORS: file, GPT2_TEST_ADAPTERS: adapter };
  const { status } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    env: mode === "none" ? env : { ...env, GPT2_ADVERSARY: mode },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const lines = readFileSync(file, "utf8").trim().split("\n");
  rmSync(file);
  return { comparisons: lines.map((line) => JSON.parse(line) as Comparison), passed: status === 0 };
}

const began = new Date();
const runs: object[] = [];
let passed = true;
for (const adapter of options.adapters.split(",")) {
  for (const mode of options.modes.split(",")) {
    const result = run(mode, adapter);
    passed &&= result.passed;
    const worst = new Map<string, Comparison>();
    for (const comparison of result.comparisons)
      if (!(comparison.error < (worst.get(comparison.op)?.error ?? 0))) worst.set(comparison.op, comparison);
    const ops = [...worst.values()]
      .sort((a, b) => a.op.localeCompare(b.op))
      .map(({ op, error, tensor, case: where, bound }) => ({
        op,
        error: Number(error.toPrecision(3)),
        bound,
        tensor,
        where,
      }));
    runs.push({ adapter, mode, comparisons: result.comparisons.length, passed: result.passed, ops });
    console.log(
      `${adapter}, ${mode}: ${result.comparisons.length} comparisons, ${result.passed ? "passed" : "FAILED"}`,
    );
    for (const { op, error, tensor, where } of ops) console.log(`  ${op.padEnd(22)} ${error}  ${tensor} of ${where}`);
  }
}
if (options.out) {
  const report = {
    command: `npx tsx scripts/op-errors.ts --modes ${options.modes} --adapters ${options.adapters}`,
    date: began.toISOString().slice(0, 10),
    machine: `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}`,
    minutes: Math.round((Date.now() - began.getTime()) / 60_000),
    runs,
  };
  writeFileSync(options.out, `${JSON.stringify(report, null, 1)}\n`);
}
if (!passed) process.exitCode = 1;
