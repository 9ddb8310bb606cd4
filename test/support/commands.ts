/** Commands as they are typed, many in one process; see run-commands.mjs. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stockDawnPath } from "../../src/platform/node/dawn.ts";
import { embeddedDawnPath } from "../../src/platform/node/embedded.ts";

export interface Command {
  /** Words of a command line, apart by one space; `_` in a word stands for a space in it. */
  readonly line: string;
  /** Another program, which is run in its place. */
  readonly program?: string;
  /** What standard input holds. */
  readonly input?: string | Uint8Array;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** On a device that no other command has, which ends with it. */
  readonly own?: boolean;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
  /** Of all cores: what it takes where nothing else runs is less than this. */
  readonly cpuSeconds: number;
}

/** The words of a line. */
export function wordsOf(line: string): string[] {
  return line.split(" ").map((word) => word.replaceAll("_", " "));
}

/** What run-commands.mjs is sent of a command. */
interface Request extends Omit<Command, "line"> {
  readonly args: readonly string[];
  readonly cwd?: string;
}

/** The command line's modules one by one, of which each command gets its own, and not the bundle. */
const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** A process that runs what it is sent, in turn. */
class Runner {
  readonly child: ChildProcess;
  private readonly waiting: { told(result: CommandResult): void; failed(error: Error): void; words: string }[] = [];
  private output = "";

  constructor(env: NodeJS.ProcessEnv, bindings: readonly string[], cwd?: string) {
    const script = fileURLToPath(new URL("run-commands.mjs", import.meta.url));
    this.child = fork(script, [], { cwd, env, execArgv: [], stdio: ["ignore", "pipe", "pipe", "ipc"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (text) => {
        this.output += text;
      });
    }
    this.child.on("message", (result: CommandResult) => this.waiting.shift()!.told(result));
    this.child.on("exit", (code, signal) => {
      for (const { words, failed } of this.waiting.splice(0))
        failed(new Error(`gpt2 ${words}: ended its process with ${signal ?? code}\n${this.output}`));
    });
    this.child.send({ main: MAIN, bindings });
  }

  async run(request: Request): Promise<CommandResult> {
    const words = request.args.join(" ");
    if (!this.child.connected) throw new Error(`gpt2 ${words}: the process for it has ended\n${this.output}`);
    return new Promise((told, failed) => {
      this.waiting.push({ told, failed, words });
      this.child.send(request);
    });
  }
}

const ENVIRONMENT = { NODE_OPTIONS: "", NO_COLOR: "1" };

/**
 * Runs commands one after another in `folder`; `told` hears of each as it ends. `adapter`: what GPT2_ADAPTER is. What is kept
 * between commands (measurements, the embedded driver) is kept in the folder, too. `signal` ends the process.
 */
export async function runCommands(
  commands: readonly Command[],
  folder: string,
  adapter: string | undefined,
  told: (result: CommandResult, command: Command) => void,
  signal?: AbortSignal,
): Promise<void> {
  const cache = join(folder, "cache");
  mkdirSync(cache, { recursive: true });
  // Most of these commands' time is lavapipe's compiling: see quicklyCompiling in gpu.ts.
  const quick = { GALLIVM_PERF: process.env.GALLIVM_PERF ?? "nopt" };
  const env = { ...process.env, ...quick, ...ENVIRONMENT, GPT2_CACHE: cache, GPT2_ADAPTER: adapter ?? "auto" };
  const bindings = adapter === "embedded" ? [stockDawnPath(), await embeddedDawnPath(env)] : [stockDawnPath()];
  const runner = new Runner(env, bindings, folder);
  signal?.addEventListener("abort", () => runner.child.kill("SIGKILL"));
  for (const command of commands) {
    const { line, ...others } = command;
    told(await runner.run({ args: wordsOf(line), ...others }), command);
  }
  runner.child.disconnect();
  await new Promise((resolve) => runner.child.on("exit", resolve));
}

let shared: Runner | undefined;

/**
 * `gpt2` with these words, as a test types it who wants what it prints and no process of its own: signals, terminals and what is
 * killed have theirs. It computes on the CPU, in WebAssembly, or on a device that it shares with all other commands of this process.
 */
export async function gpt2(
  args: readonly string[],
  options: {
    readonly input?: string | Uint8Array;
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<Pick<CommandResult, "code" | "stdout" | "stderr">> {
  if (!shared?.child.connected) {
    shared = new Runner({ ...process.env, ...ENVIRONMENT }, [stockDawnPath()]);
    // It ends with this process, which does not wait for it.
    shared.child.unref();
    for (const stream of [shared.child.stdout, shared.child.stderr])
      (stream as unknown as { unref(): void } | null)?.unref();
    shared.child.channel?.unref();
  }
  const { code, stdout, stderr } = await shared.run({ args, ...options });
  return { code, stdout, stderr };
}
