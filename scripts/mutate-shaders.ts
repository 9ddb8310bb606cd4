/**
 * Are the tests good enough to notice a wrong kernel? Changes one place of one shader at a time and runs the op tests that
 * read it, by name: `npx tsx scripts/mutate-shaders.ts [--count 200] [--seed 1] [--jobs 2] [--only attention/] [--out file.json]`.
 * `--tests map.json` keeps which test reads which shader from one run to the next.
 * `--ops a,b` looks for them in these files and folders alone, `--ops-only` leaves the larger ones out: what survives then may be killed by the others.
 * `--skip n` goes on behind the first n of the order that the seed gives.
 * They run on the embedded driver, then on the system's; what passes both meets the tests of model, trainer and generator.
 * Mutants that do not compile are replaced by others, and so are those that compute the same, which
 * scripts/mutate/equivalent.ts lists with the reason. Fails when fewer than 95 % are killed.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { philox } from "../src/core/philox.ts";
import { EQUIVALENT } from "./mutate/equivalent.ts";
import { linesOf, type Mutation, mutated, mutationsOf } from "./mutate/points.ts";
import { type Reader, runTests, type Tests, testsByShader, type Verdict } from "./mutate/run.ts";

const SHADERS = fileURLToPath(new URL("../shaders/", import.meta.url));
const LARGER_TESTS = ["test/autograd", "test/generate", "test/train", "test/verify"];
const LEAST_KILLED = 0.95;

interface Result extends Omit<Verdict, "outcome"> {
  readonly outcome: Verdict["outcome"] | "equivalent";
  readonly shader: string;
  readonly kind: string;
  readonly line: number;
  readonly before: string;
  readonly after: string;
}

const { values: options } = parseArgs({
  options: {
    count: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    jobs: { type: "string", default: "2" },
    only: { type: "string", default: "" },
    out: { type: "string" },
    tests: { type: "string" },
    skip: { type: "string", default: "0" },
    ops: { type: "string", default: "test/kernels" },
    "ops-only": { type: "boolean", default: false },
  },
});

function readShaders(): Map<string, string> {
  const files = readdirSync(SHADERS, { recursive: true }).map(String);
  const names = files.filter((file) => file.endsWith(".wgsl")).map((file) => file.slice(0, -5).replaceAll("\\", "/"));
  // what only the benchmark reads has no tests to speak of; what the probe reads has devices that lie to it (test/runtime/probe.test.ts)
  const wanted = names.filter((name) => !/^(bench|probe)\//.test(name) && name.startsWith(options.only)).sort();
  return new Map(wanted.map((name) => [name, readFileSync(`${SHADERS}${name}.wgsl`, "utf8")]));
}

async function mapOfTests(): Promise<Map<string, Reader[]>> {
  const { tests: file } = options;
  if (file && existsSync(file)) return new Map(Object.entries(JSON.parse(readFileSync(file, "utf8"))));
  const map = await testsByShader(options.ops.split(","));
  if (file) writeFileSync(file, JSON.stringify(Object.fromEntries(map)));
  return map;
}

/** All mutations in a random order that takes the shaders in turn, and in each the kinds of change in turn. */
function* inTurn(all: readonly Mutation[], seed: number): Generator<Mutation> {
  const random = (n: number): number => philox([n, 0, 0, 0], [seed, 0])[0];
  const shuffled = all.map((mutation, n) => ({ mutation, order: random(n) })).sort((a, b) => a.order - b.order);
  const queues = new Map<string, Map<string, Mutation[]>>();
  for (const { mutation } of shuffled) {
    const kinds = queues.get(mutation.shader) ?? new Map<string, Mutation[]>();
    queues.set(mutation.shader, kinds);
    kinds.set(mutation.kind, [...(kinds.get(mutation.kind) ?? []), mutation]);
  }
  while (queues.size > 0) {
    for (const [shader, kinds] of queues) {
      const [kind, queue] = kinds.entries().next().value!;
      kinds.delete(kind);
      yield queue.shift()!;
      if (queue.length > 0) kinds.set(kind, queue); // to the end of the row
      if (kinds.size === 0) queues.delete(shader);
    }
  }
}

let largerTests: Promise<Verdict> | undefined;

/** Throws if the larger tests fail by themselves: then they say nothing of a mutant. */
async function checkLargerTests(): Promise<void> {
  largerTests ??= runTests(undefined, { files: LARGER_TESTS }, "embedded");
  const { outcome, by } = await largerTests;
  if (outcome !== "survived") throw new Error(`the tests fail without a mutant: ${by}`);
}

/** The tests that read the shader, which are all that may notice. */
function testsOf(readers: readonly Reader[]): Tests {
  return {
    files: [...new Set(readers.map(({ file }) => file))],
    names: [...new Set(readers.map(({ name }) => name))],
  };
}

async function judge(mutation: Mutation, source: string, tests: Map<string, Reader[]>): Promise<Result> {
  const { shader, kind } = mutation;
  const lines = linesOf(source, mutation);
  const mutant = { shader, text: mutated(source, mutation) };
  const opTests = testsOf(tests.get(shader) ?? []);
  const larger = options["ops-only"] ? [] : [[{ files: LARGER_TESTS }, "embedded"] as const];
  let verdict: Verdict = { outcome: "survived", by: "" };
  for (const [group, adapter] of [[opTests, "embedded"], [opTests, "system"], ...larger] as const) {
    if (verdict.outcome === "survived" && group.files.length > 0) verdict = await runTests(mutant, group, adapter);
    if (verdict.outcome === "killed" && group.files === LARGER_TESTS) await checkLargerTests();
  }
  const known = EQUIVALENT.find(
    (item) => item.shader === shader && item.before === lines.before && item.after === lines.after,
  );
  if (verdict.outcome === "survived" && known) return { ...lines, shader, kind, outcome: "equivalent", by: known.why };
  if (known && verdict.outcome === "killed") console.log(`not equivalent after all: ${shader}: ${lines.after}`);
  return { ...lines, shader, kind, ...verdict };
}

async function run(): Promise<void> {
  const [count, seed, jobs] = [Number(options.count), Number(options.seed), Number(options.jobs)];
  const began = new Date();
  const shaders = readShaders();
  const all = [...shaders].flatMap(([name, source]) => mutationsOf(name, source));
  const tests = await mapOfTests();
  console.log(`${all.length} mutations of ${shaders.size} shaders; ${count} of them, seed ${seed}`);
  const next = inTurn(all, seed);
  for (let i = 0; i < Number(options.skip); i++) next.next();
  const results: Result[] = [];
  /** Mutants that differ: what does not compile, or is known to compute the same, is replaced by another. */
  const judged = (): number => results.filter(({ outcome }) => outcome === "killed" || outcome === "survived").length;
  let running = 0;
  async function worker(): Promise<void> {
    while (judged() + running < count) {
      const { value: mutation } = next.next();
      if (!mutation) return;
      running++;
      const result = await judge(mutation, shaders.get(mutation.shader)!, tests);
      running--;
      results.push(result);
      const { outcome, shader, line, kind, before, after, by } = result;
      console.log(`${judged()} ${outcome}: ${shader}:${line} ${kind}\n    ${before}\n    ${after}\n    ${by}`);
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker));
  finish(results, { seed, began });
}

function finish(results: readonly Result[], { seed, began }: { seed: number; began: Date }): void {
  const number = (outcome: Result["outcome"]): number => results.filter((result) => result.outcome === outcome).length;
  const judged = number("killed") + number("survived");
  const summary = {
    command: `npx tsx scripts/mutate-shaders.ts --count ${options.count} --seed ${seed}${options.skip === "0" ? "" : ` --skip ${options.skip}`}${options.only ? ` --only ${options.only}` : ""}${options["ops-only"] ? " --ops-only" : ""}`,
    date: began.toISOString().slice(0, 10),
    machine: `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}`,
    minutes: Math.round((Date.now() - began.getTime()) / 60_000),
    mutants: judged,
    killed: number("killed"),
    equivalent: number("equivalent"),
    survived: number("survived"),
    notCompiled: number("not compiled"),
  };
  console.log(JSON.stringify(summary, null, 2));
  const order = (a: Result, b: Result): number => a.shader.localeCompare(b.shader) || a.line - b.line;
  const told = results.filter(({ outcome }) => outcome !== "not compiled").sort(order);
  if (options.out) writeFileSync(options.out, `${JSON.stringify({ ...summary, mutants: told }, null, 2)}\n`);
  for (const { shader, line, before, after } of told.filter(({ outcome }) => outcome === "survived"))
    console.log(`SURVIVED ${shader}:${line}\n    ${before}\n    ${after}`);
  if (summary.killed < LEAST_KILLED * judged) process.exitCode = 1;
}

await run();
