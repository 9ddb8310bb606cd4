/** Commands as they are typed, many in one process; see run-commands.mjs. */
import { fork } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stockDawnPath } from "../../src/platform/node/dawn.ts";
import { embeddedDawnPath } from "../../src/platform/node/embedded.ts";
import { GPT2 } from "./build.ts";

export interface Command {
  /** Words of a command line, apart by one space; `_` in a word stands for a space in it. */
  readonly line: string;
  /** Another program, which is run in its place. */
  readonly program?: string;
  /** What standard input holds. */
  readonly input?: string;
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
  const own = { NODE_OPTIONS: "", NO_COLOR: "1", GPT2_CACHE: cache, GPT2_ADAPTER: adapter ?? "auto" };
  const env = { ...process.env, ...quick, ...own };
  const bindings = adapter === "embedded" ? [stockDawnPath(), await embeddedDawnPath(env)] : [stockDawnPath()];
  const script = fileURLToPath(new URL("run-commands.mjs", import.meta.url));
  const child = fork(script, [], { cwd: folder, env, execArgv: [], stdio: ["ignore", "pipe", "pipe", "ipc"] });
  signal?.addEventListener("abort", () => child.kill("SIGKILL"));
  let done = 0;
  let rest = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (text) => {
      rest += text;
    });
  }
  child.on("message", (result: CommandResult) => told(result, commands[done++]!));
  child.send({
    main: GPT2,
    bindings,
    commands: commands.map(({ line, ...others }) => ({ args: wordsOf(line), ...others })),
  });
  const ended = await new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal ?? code)));
  if (done < commands.length) throw new Error(`gpt2 ${commands[done]!.line}: ended its process with ${ended}\n${rest}`);
}
