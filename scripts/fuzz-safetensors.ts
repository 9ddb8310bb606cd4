/**
 * Throws mutated files at the safetensors reader: `npx tsx scripts/fuzz-safetensors.ts [cases] [seed] [workers]`, and
 * `... case N [seed]` to see one. Fails on anything thrown but a one-line UserError, on a file that is accepted though a rule
 * of the format forbids it (scripts/fuzz/oracle.ts), on one refused for no reason that docs/hostile-files.md gives, on a
 * case over a second, on a worker that stops answering, and on memory over the file's size + 64 MiB.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { UserError } from "../src/core/errors.ts";
import { DTYPE_BYTES, parseSafetensors } from "../src/io/safetensors.ts";
import { createMutator, MOST_BYTES } from "./fuzz/mutate.ts";
import { brokenRule } from "./fuzz/oracle.ts";

const MOST_MEMORY = 64 * 2 ** 20 + MOST_BYTES;
const MOST_MS = 1000;
/** A worker tells how far it is every so many cases, and is taken for hanging after so long without. */
const REPORT = 50_000;
const SILENCE_MS = 60_000;

/** Garbage of millions of cases is to be collected, not to be counted as memory that one of them needs; MB. */
const HEAP = ["--max-semi-space-size=2", "--max-old-space-size=96"];

/** Why this reader refuses what the format allows, see docs/hostile-files.md. */
const STRICTER =
  /the name is empty|half a surrogate pair|and data_offsets alone|has more than 8 numbers|from 0 to 2\^53 - 1|overflows/;

interface Counts {
  cases: number;
  accepted: number;
  refused: number;
  stricter: number;
  slowestMs: number;
  memory: number;
}

/** Judges one file; throws an Error that says what is wrong with the reader. */
function judge(file: Uint8Array, counts: Counts): void {
  let refusal: string | undefined;
  const began = performance.now();
  try {
    let covered = 0;
    for (const { dtype, shape, begin, end } of parseSafetensors(file).tensors.values()) {
      const bytes = shape.reduce((product, size) => product * size, DTYPE_BYTES[dtype] as number);
      if (begin < 8 || end > file.length || end - begin !== bytes) throw new Error("a tensor out of bounds");
      covered += bytes;
    }
    if (covered > file.length) throw new Error("tensors larger than the file");
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (/[\n\r]/.test(error.message) || error.message.length > 400) throw new Error("a message that is no line");
    refusal = error.message;
  }
  counts.slowestMs = Math.max(counts.slowestMs, performance.now() - began);
  counts.cases++;
  if (refusal === undefined) counts.accepted++;
  else counts.refused++;
  const broken = brokenRule(file);
  if (refusal === undefined && broken !== undefined) throw new Error(`accepted, but ${broken}`);
  if (refusal !== undefined && broken === undefined) {
    if (!STRICTER.test(refusal)) throw new Error(`refused without a reason: ${refusal}`);
    counts.stricter++;
  }
}

function work(seed: number, first: number, last: number): void {
  Error.stackTraceLimit = 0;
  const mutated = createMutator(seed);
  const counts: Counts = { cases: 0, accepted: 0, refused: 0, stricter: 0, slowestMs: 0, memory: 0 };
  let before = 0;
  for (let index = first; index < last; index++) {
    try {
      judge(mutated(index), counts);
    } catch (error) {
      process.send?.({ failed: `case ${index} of seed ${seed}: ${error}` });
      return;
    }
    if (index - first === REPORT) before = process.memoryUsage.rss(); // all code is compiled by now
    if (counts.cases % REPORT !== 0 && index !== last - 1) continue;
    if (before > 0) counts.memory = Math.max(counts.memory, process.memoryUsage.rss() - before);
    process.send?.({ counts });
  }
}

async function run(cases: number, seed: number, workers: number): Promise<void> {
  const began = performance.now();
  const share = Math.ceil(cases / workers);
  const all = await Promise.all(
    Array.from({ length: workers }, (_, i) => oneWorker(seed, i * share, Math.min(cases, (i + 1) * share))),
  );
  const sum = (key: keyof Counts): number => all.reduce((total, counts) => total + counts[key], 0);
  const most = (key: keyof Counts): number => Math.max(...all.map((counts) => counts[key]));
  const seconds = (performance.now() - began) / 1000;
  const grouped = (value: number): string => value.toLocaleString("en-US");
  console.log(
    `seed ${seed}: ${grouped(sum("cases"))} cases in ${seconds.toFixed(0)} s, ${workers} workers, Node ${process.version}`,
  );
  console.log(
    `accepted ${grouped(sum("accepted"))}, refused ${grouped(sum("refused"))}, of which ${grouped(sum("stricter"))} keep the format's rules but not this reader's limits`,
  );
  console.log(
    `slowest case ${most("slowestMs").toFixed(1)} ms, memory grew by ${(most("memory") / 2 ** 20).toFixed(1)} MiB`,
  );
  if (most("slowestMs") > MOST_MS) throw new Error(`a case took more than ${MOST_MS} ms`);
  if (most("memory") > MOST_MEMORY) throw new Error("memory grew by more than a file's size + 64 MiB");
  if (sum("cases") !== cases) throw new Error("not all cases were run");
}

function oneWorker(seed: number, first: number, last: number): Promise<Counts> {
  return new Promise((resolve, reject) => {
    const args = ["work", seed, first, last].map(String);
    const child: ChildProcess = fork(fileURLToPath(import.meta.url), args, {
      execArgv: [...process.execArgv, ...HEAP],
    });
    let counts: Counts | undefined;
    const hung = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`a case after ${first + (counts?.cases ?? 0)} of seed ${seed} does not end`));
    }, SILENCE_MS);
    child.on("message", (message: { counts?: Counts; failed?: string }) => {
      hung.refresh();
      counts = message.counts ?? counts;
      if (message.failed) reject(new Error(message.failed));
    });
    child.on("exit", (code) => {
      clearTimeout(hung);
      if (code === 0 && counts) resolve(counts);
      else reject(new Error(`a worker ended with ${code} after case ${first + (counts?.cases ?? 0)} of seed ${seed}`));
    });
  });
}

function show(index: number, seed: number): void {
  const file = createMutator(seed)(index);
  console.log(Buffer.from(file).toString("latin1"));
  console.log(`oracle: ${brokenRule(file) ?? "keeps every rule"}`);
  try {
    console.log([...parseSafetensors(file).tensors]);
  } catch (error) {
    console.log(String(error));
  }
}

const [first, ...rest] = process.argv.slice(2);
if (first === "work") work(Number(rest[0]), Number(rest[1]), Number(rest[2]));
else if (first === "case") show(Number(rest[0]), Number(rest[1] ?? 1));
else await run(Number(first ?? 10_000_000), Number(rest[0] ?? 1), Number(rest[1] ?? 2));
