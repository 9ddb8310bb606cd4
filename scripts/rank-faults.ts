/**
 * Ranks that are killed, stopped, told to end, thrown out of, or left without device or disk, at random moments:
 * `npm run build && npx tsx scripts/rank-faults.ts [faults] [seed] [result.json] [one kind of fault]`, with Open MPI and MPICH, as root on Linux. Each job must
 * end by itself within the time-out, with another exit code than 0 unless it could go on, and leave no process behind; gone on with
 * by another number of ranks, every loss, checkpoint and the model must have the bits of one process that nobody touched.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { randomFrom } from "../test/support/device-loss.ts";
import { compare, contentsOf, gpt2, TINY_FLAGS, writeRecords } from "../test/support/killed-run.ts";
import { type Job, startJob, type TestMpi, testMpis } from "../test/support/mpi.ts";

const [faults = "100", seed = "1", result, only] = process.argv.slice(2);
const random = randomFrom(Number(seed));
const below = (n: number): number => Math.floor(random() * n);
const main = fileURLToPath(new URL("../dist/bundle/gpt2.js", import.meta.url));
const hook = new URL("../test/support/kill-hook.mjs", import.meta.url).href;
const parent = mkdtempSync(join(tmpdir(), "rank-faults-"));
const data = join(parent, "data.txt");
writeRecords(data);

/** Seconds: what `--collective-timeout` is by default. */
const TIMEOUT = 10;
/** Milliseconds after which a job is given up; a software driver compiles anew for each device that is lost. */
const LONGEST_MS = 100_000;
const LONGEST_RECOVERY_MS = 300_000;
/** Milliseconds that ranks take to begin, on a machine that is busy. */
const START_MS = 3000;
/** Of a step: what 2, 3 and 4 ranks divide. */
const BATCHES = 12;
const COMMON = `--data ${data} --max-steps 24 ${TINY_FLAGS} --save-total-limit 99 --batch-size 1`;

const ALL_KINDS = [
  ...["kill -9 at an op", "kill -9 at a call of the file system", "kill -9", "SIGSTOP", "SIGTERM to mpirun"],
  ...["SIGTERM", "a throw", "a lost device", "a full disk"],
] as const;
type Kind = (typeof ALL_KINDS)[number];
const KINDS = ALL_KINDS.filter((kind) => only === undefined || kind === only);

interface Fault {
  readonly kind: Kind;
  readonly mpi: TestMpi;
  readonly ranks: number;
  readonly rank: number;
  readonly environment: NodeJS.ProcessEnv;
  readonly device: string;
  readonly milliseconds: number;
}

function draw(n: number): Fault {
  const kind = KINDS[n % KINDS.length]!;
  const ranks = 2 + below(3);
  const mpi = testMpis[below(testMpis.length)]!;
  const rank = kind === "kill -9 at a call of the file system" ? 0 : below(ranks);
  // The more ranks there are, the fewer batches each of them computes.
  const ops = Math.floor(13_000 / ranks);
  const hooks: Partial<Record<Kind, string>> = {
    "kill -9 at an op": `op:${1 + below(ops)}`,
    "kill -9 at a call of the file system": `file:${1 + below(120)}${below(2) === 0 ? "" : ":after"}`,
    "a throw": `throw:${1 + below(ops)}`,
    "a lost device": `lose:${Math.floor((90 + below(200)) / ranks)}`,
  };
  const at = hooks[kind];
  const environment = at === undefined ? {} : { GPT2_KILL_AT: at, GPT2_KILL_RANK: String(rank) };
  const device = kind === "a lost device" ? "embedded" : "cpu";
  return { kind, mpi, ranks, rank, environment, device, milliseconds: below(2500) };
}

const accumulation = (ranks: number): string => `--gradient-accumulation-steps ${BATCHES / ranks}`;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Does what is to be done from outside, and gives when it was done, or when the job says that it was. */
async function strike(fault: Fault, job: Job, directory: string): Promise<number | undefined> {
  const { kind, rank, milliseconds } = fault;
  let over = false;
  void job.ended.then(() => {
    over = true;
  });
  if (kind === "kill -9" || kind === "SIGSTOP" || kind === "SIGTERM") {
    await wait(milliseconds);
    while (!over) {
      const pid = job.pidOf(rank);
      if (pid !== undefined) {
        process.kill(pid, kind === "kill -9" ? "SIGKILL" : kind);
        return performance.now();
      }
      await wait(20);
    }
  } else if (kind === "SIGTERM to mpirun") {
    await wait(milliseconds);
    if (!over) job.child.kill("SIGTERM");
    return performance.now();
  } else if (kind === "a full disk") {
    await wait(milliseconds);
    const { bavail, bsize } = statfsSync(directory);
    writeFileSync(join(directory, "ballast"), Buffer.alloc(bavail * bsize));
    return undefined;
  } else {
    while (!over) {
      if (/^killed /m.test(job.output())) return performance.now();
      await wait(20);
    }
  }
  return undefined;
}

const summary = new Map<string, { faults: number; ended: number; wentOn: number; tooLate: number; slowest: number }>();
const wrong: string[] = [];
const references = new Map<string, ReadonlyMap<string, string>>();
const disk = join(parent, "disk");
mkdirSync(disk);

async function reference(device: string): Promise<ReadonlyMap<string, string>> {
  const directory = join(parent, `whole-${device}`);
  // A run that is told to stop saves the step it is at: all are known.
  const args = `train ${COMMON} --device ${device} ${accumulation(1)} --save-steps 1 --output-dir ${directory}`;
  const { code, output } = await gpt2(main, args, "none");
  if (code !== 0) throw new Error(output);
  return contentsOf(directory);
}

async function one(n: number): Promise<void> {
  const fault = draw(n);
  const { kind, mpi, ranks, device } = fault;
  const wanted = references.get(device) ?? (await reference(device));
  references.set(device, wanted);
  const full = kind === "a full disk";
  if (full) execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]);
  const directory = join(full ? disk : parent, `run-${n}`);
  const name = `${n}: ${kind}, rank ${fault.rank} of ${ranks}, ${mpi.name}, ${JSON.stringify(fault.environment)} ${fault.milliseconds} ms`;
  const fail = (line: string, output: string): void => {
    wrong.push(`${name}: ${line}`);
    console.error(`WRONG ${name}: ${line}\n${output}`);
  };
  const train = `train ${COMMON} --device ${device} ${accumulation(ranks)} --output-dir ${directory} --resume-if-exists`;
  const imports = Object.keys(fault.environment).length > 0 ? ["--import", hook] : [];
  try {
    const begun = performance.now();
    const job = startJob(mpi, ranks, main, train.split(/\s+/), fault.environment, imports);
    const most = kind === "a lost device" ? LONGEST_RECOVERY_MS : LONGEST_MS;
    const limit = setTimeout(() => {
      fail(`did not end within ${most / 1000} s`, job.output());
      job.child.kill("SIGKILL");
    }, most);
    const struck = await strike(fault, job, full ? disk : directory);
    const { code, at } = await job.ended;
    clearTimeout(limit);
    // A rank that is stopped before it has begun is missed once the others have.
    const seconds = struck === undefined ? 0 : (at - Math.max(struck, begun + START_MS)) / 1000;
    const known = summary.get(kind) ?? { faults: 0, ended: 0, wentOn: 0, tooLate: 0, slowest: 0 };
    // A device that is lost, and a disk that is full for a while, are no reason to end; and some runs are over by then.
    const mayGoOn = kind === "a lost device" || full;
    const done = code === 0;
    known.faults++;
    if (!done) known.ended++;
    else if (mayGoOn && (struck !== undefined || /device .*was lost.*; going on/.test(job.output()))) known.wentOn++;
    else known.tooLate++;
    known.slowest = Math.max(known.slowest, Math.round(seconds * 10) / 10);
    summary.set(kind, known);
    if (!mayGoOn && done && struck !== undefined && !existsSync(join(directory, "model")))
      fail("ended with 0, and has no model", job.output());
    if (!mayGoOn && seconds > TIMEOUT) fail(`ended after ${seconds.toFixed(1)} s`, job.output());
    await wait(200);
    if (job.left() > 0) fail(`left ${job.left()} processes`, job.output());
    rmSync(join(disk, "ballast"), { force: true });

    const others = [1, 2, 3, 4].filter((count) => count !== ranks)[below(3)]!;
    const again = `train ${COMMON} --device ${device} ${accumulation(others)} --output-dir ${directory} --resume-if-exists`;
    const resumed = await (others === 1
      ? gpt2(main, again, "none")
      : (async () => {
          const second = startJob(testMpis[below(testMpis.length)]!, others, main, again.split(/\s+/));
          return { ...(await second.ended), output: second.output() };
        })());
    if (resumed.code !== 0)
      fail(`going on by ${others} ranks gave ${resumed.code}`, `${job.output()}\n--\n${resumed.output}`);
    if (existsSync(directory))
      for (const line of compare(directory, wanted, resumed.code === 0)) fail(line, job.output());
    console.log(`${name}: ${code}, ${seconds.toFixed(1)} s, went on with ${others}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
    if (full) execFileSync("umount", [disk]);
  }
}

try {
  for (let n = 0; n < Number(faults); n++) await one(n);
} finally {
  rmSync(parent, { recursive: true, force: true });
}
const report = {
  command: `npx tsx scripts/rank-faults.ts ${faults} ${seed}${only === undefined ? "" : ` … "${only}"`}`,
  mpis: testMpis.map(({ name }) => name),
  timeout: TIMEOUT,
  faults: Number(faults),
  wrong,
  kinds: Object.fromEntries(summary),
};
if (result) writeFileSync(result, `${JSON.stringify(report, null, 2)}\n`);
console.log(JSON.stringify(report, null, 2));
process.exitCode = wrong.length > 0 ? 1 : 0;
