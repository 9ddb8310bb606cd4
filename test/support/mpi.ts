/** The MPIs of this machine, and programs that they start. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

export interface TestMpi {
  readonly name: "Open MPI" | "MPICH";
  /** The command that starts so many ranks. */
  launch(ranks: number): readonly string[];
  /** What a rank's environment calls its rank. */
  readonly rank: string;
}

const ALL: readonly TestMpi[] = [
  {
    name: "Open MPI",
    // Root may be all that there is in a container; software devices want all cores.
    launch: (ranks) => [
      ...["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"],
      ...["-n", String(ranks)],
    ],
    rank: "OMPI_COMM_WORLD_RANK",
  },
  { name: "MPICH", launch: (ranks) => ["mpirun.mpich", "-n", String(ranks)], rank: "PMI_RANK" },
];

/** Those that Debian's packages openmpi-bin and mpich have brought; the others are said to be missing. */
export const testMpis: readonly TestMpi[] = ALL.filter(({ name, launch }) => {
  try {
    execFileSync(launch(1)[0]!, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    console.warn(`${name} is not tested: ${launch(1)[0]} is not there`);
    return false;
  }
});

export interface Job {
  readonly child: ChildProcess;
  /** What has been printed so far. */
  readonly output: () => string;
  readonly ended: Promise<{ readonly code: number | null; readonly at: number }>;
  /** The number of the process of a rank, once it is there. */
  pidOf(rank: number): number | undefined;
  /** Processes that are left. */
  left(): number;
}

let jobs = 0;

/** Starts the program at `main` on so many ranks. */
export function startJob(
  mpi: TestMpi,
  ranks: number,
  main: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  imports: readonly string[] = [],
): Job {
  const mark = `GPT2_TEST_JOB=${process.pid}-${jobs++}`;
  const [command = "", ...words] = mpi.launch(ranks);
  const child = spawn(command, [...words, process.execPath, ...imports, main, ...args], {
    env: { ...process.env, NO_COLOR: "1", ...environment, [mark.split("=")[0]!]: mark.split("=")[1] },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const listen = (chunk: Buffer): void => {
    output += chunk;
  };
  child.stdout!.on("data", listen);
  child.stderr!.on("data", listen);
  const environmentOf = (pid: string): readonly string[] => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    } catch {
      return []; // it has ended
    }
  };
  const processes = (): string[] =>
    readdirSync("/proc").filter((name) => /^\d+$/.test(name) && environmentOf(name).includes(mark));
  return {
    child,
    output: () => output,
    ended: new Promise((resolve) => child.on("close", (code) => resolve({ code, at: performance.now() }))),
    pidOf(rank) {
      const pid = processes().find((one) => environmentOf(one).includes(`${mpi.rank}=${rank}`));
      return pid === undefined ? undefined : Number(pid);
    },
    left: () => processes().length,
  };
}
