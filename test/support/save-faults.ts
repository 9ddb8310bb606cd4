/** Saves and resumes in a process whose system calls fail one after another, by strace. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import { newestStep, openNewestGood, saveCheckpoint } from "../../src/run/checkpoints.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { differing, fillTiny, statesOf, tinyFiles, tinyLayout } from "./tiny-run.ts";

const worker = fileURLToPath(new URL("save-faults-worker.ts", import.meta.url));

/** Kinds of system calls, and what strace shall do to each. */
export type Faults = Readonly<Record<string, readonly string[]>>;

/** The calls that a job makes of the file system, as libuv makes them, and what may befall each. */
export const FAULTS: Faults = {
  openat: ["error=EIO", "error=ENOSPC", "error=EMFILE", "signal=SIGKILL"],
  pwrite64: ["error=ENOSPC", "error=EIO", "error=EDQUOT", "retval=7", "signal=SIGKILL"],
  pread64: ["error=EIO", "signal=SIGKILL"],
  fsync: ["error=EIO", "error=ENOSPC", "signal=SIGKILL"],
  mkdir: ["error=ENOSPC", "error=EROFS", "signal=SIGKILL"],
  rename: ["error=EIO", "error=ENOSPC", "signal=SIGKILL"],
  unlink: ["error=EIO", "signal=SIGKILL"],
  rmdir: ["error=EIO", "signal=SIGKILL"],
  statx: ["error=EIO", "signal=SIGKILL"],
  getdents64: ["error=EIO", "signal=SIGKILL"],
  close: ["signal=SIGKILL"],
};

interface Worker {
  readonly child: ChildProcessWithoutNullStreams;
  /** The next line, or undefined once the process has ended. */
  line(): Promise<string | undefined>;
}

async function startWorker(): Promise<Worker> {
  // One thread for files, so that "the N-th call" is the same at every try; io_uring would hide calls from strace.
  const env = { ...process.env, UV_THREADPOOL_SIZE: "1", UV_USE_IO_URING: "0" };
  const child = spawn(process.execPath, ["--import", "tsx", worker], { env, stdio: "pipe" });
  child.stderr.pipe(process.stderr);
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const started = { child, line: async () => (await lines.next()).value as string | undefined };
  if ((await started.line()) !== "ready") throw new Error("the worker does not start");
  return started;
}

/** Does a job in the worker while strace makes its calls fail, and says whether it came to that. */
async function doFaulty(
  { child, line }: Worker,
  job: string,
  inject: string,
): Promise<{ injected: boolean; answer: string | undefined }> {
  const call = inject.split(":")[0]!;
  const strace = spawn(
    "strace",
    ["-f", "-qq", "-e", `trace=${call}`, "-e", `inject=${inject}`, "-p", String(child.pid)],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let trace = "";
  strace.stderr.on("data", (data: Buffer) => {
    trace += data;
  });
  const ended = new Promise((resolve) => strace.once("close", resolve));
  await attached(child.pid!, strace.pid!);
  child.stdin.write(`${job}\n`);
  const answer = await line();
  // Of a process that was killed, strace may wait for ever.
  strace.kill(answer === undefined ? "SIGKILL" : "SIGINT");
  await ended;
  return { injected: trace.includes("INJECTED") || answer === undefined, answer };
}

/** Waits until every thread of `pid` is traced. */
async function attached(pid: number, tracer: number): Promise<void> {
  for (let tries = 0; tries < 2000; tries++) {
    const all = readdirSync(`/proc/${pid}/task`).every((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8").includes(`TracerPid:\t${tracer}\n`),
    );
    if (all) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("strace does not attach");
}

const expected = async (step: number) => {
  const runtime = createCpuRuntime();
  await fillTiny(runtime, step);
  return statesOf(runtime);
};

async function save(directory: string, step: number): Promise<void> {
  const runtime = createCpuRuntime();
  await fillTiny(runtime, step);
  const notice = (line: string): void => {
    throw new Error(`a save without a fault says: ${line}`);
  };
  await saveCheckpoint(nodeFolder(directory), step, tinyFiles(runtime, step), { limit: 2, notice });
}

/** What is wrong with a run's directory after a fault; undefined where a run goes on from it as it should. */
async function judge(directory: string, oldest: number): Promise<string | undefined> {
  const notices: string[] = [];
  const checkpoint = await openNewestGood(nodeFolder(directory), (line) => notices.push(line));
  if (!checkpoint || checkpoint.step < oldest) return `goes on from ${checkpoint?.step ?? "the start"}`;
  if (notices.some((line) => !line.startsWith("removed what an interrupted save left behind")))
    return `a visible checkpoint is not whole: ${notices.join("; ")}`;
  const runtime = createCpuRuntime();
  await checkpoint.restore(runtime, tinyLayout);
  const bits = differing(await statesOf(runtime), await expected(checkpoint.step));
  if (bits > 0) return `${bits} elements of step ${checkpoint.step} differ`;
  await save(directory, 4);
  const names = readdirSync(directory);
  if (names.some((name) => !/^checkpoint-\d+$/.test(name)) || names.length !== 2) return `leaves ${names.join(", ")}`;
  return (await newestStep(nodeFolder(directory))) === 4 ? undefined : "the next save is not there";
}

export interface FaultReport {
  /** Faults by job and kind of call. */
  readonly counts: ReadonlyMap<string, number>;
  /** How the job ended: done all the same, refused with a line, or its process killed. */
  readonly ended: { done: number; refused: number; killed: number };
  /** What a run could not go on from as it should, a line each. */
  readonly wrong: readonly string[];
}

/**
 * Makes the first, the second, ... call of each kind fail in turn, until a job makes no more of them. `told` hears of each
 * fault that is through.
 */
export async function tryFaults(
  jobs: readonly ("save" | "resume")[],
  faults: Faults,
  told: (done: string) => void = () => {},
): Promise<FaultReport> {
  const parent = mkdtempSync(join(tmpdir(), "save-faults-"));
  let running = await startWorker();
  const counts = new Map<string, number>();
  const ended = { done: 0, refused: 0, killed: 0 };
  const wrong: string[] = [];

  /** One fault in a directory of its own; false where the job makes no n-th call. */
  async function tryOne(job: "save" | "resume", call: string, fault: string, n: number): Promise<boolean> {
    const directory = mkdtempSync(join(parent, "run-"));
    await save(directory, 1);
    await save(directory, 2);
    if (job === "resume") await save(directory, 3);
    // What a save that was killed has left, so that its removal meets faults, too.
    mkdirSync(join(directory, "checkpoint-3.partial-1-00"));
    writeFileSync(join(directory, "checkpoint-3.partial-1-00", "model.safetensors"), "half");
    const { injected, answer } = await doFaulty(running, `${job} ${directory} 3`, `${call}:${fault}:when=${n}`);
    if (answer === undefined) running = await startWorker();
    if (injected) {
      counts.set(`${job} ${call}`, (counts.get(`${job} ${call}`) ?? 0) + 1);
      const said: string = answer === undefined ? "killed" : JSON.parse(answer).result;
      ended[said === "killed" ? "killed" : said.startsWith("refused") ? "refused" : "done"]++;
      const name = `${job}, ${call} ${n}, ${fault} (${said})`;
      if (said.startsWith("failed")) wrong.push(name);
      const oldest = said === "saved" || job === "resume" ? 3 : 2;
      const why = await judge(directory, oldest).catch((error: Error) => error.stack);
      if (why) wrong.push(`${name}: ${why}`);
    }
    rmSync(directory, { recursive: true });
    return injected;
  }

  try {
    for (const job of jobs) {
      for (const [call, kinds] of Object.entries(faults)) {
        for (const fault of kinds) {
          for (let n = 1; await tryOne(job, call, fault, n); n++);
          told(`${job} ${call} ${fault}`);
        }
      }
    }
  } finally {
    running.child.kill("SIGKILL");
    rmSync(parent, { recursive: true });
  }
  return { counts, ended, wrong };
}
