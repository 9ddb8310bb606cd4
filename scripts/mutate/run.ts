import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CONFIG = "scripts/mutate/vitest.config.ts";
/** A mutant that makes the tests this slow loops: it is found out, by whoever waits. */
const LIMIT_MS = 400_000;
/** Of what nearly all tests read, whole files are run: Linux has 128 KiB for an argument. */
const LONGEST_ARGUMENT = 100_000;
/** What a shader that is no WGSL makes the plan say (src/gpu/pipelines.ts). */
const NOT_COMPILED = /shader entry \w+:|Error while parsing WGSL/;

export type Adapter = "embedded" | "system" | "embedded,system";

export interface Verdict {
  readonly outcome: "killed" | "survived" | "not compiled";
  /** The test that failed, or what happened instead. */
  readonly by: string;
}

/** A test that read a shader. */
export interface Reader {
  readonly file: string;
  readonly name: string;
  readonly ms: number;
}

/** Test files, or of them the tests of these names alone. */
export interface Tests {
  readonly files: readonly string[];
  readonly names?: readonly string[];
}

/** Runs tests with one shader replaced, up to the first failure, in a process group of its own. */
export async function runTests(
  mutant: { shader: string; text: string } | undefined,
  { files, names }: Tests,
  adapter: Adapter,
  extra: Record<string, string> = {},
): Promise<Verdict> {
  const base = join(tmpdir(), `mutant-${process.pid}-${Math.random().toString(36).slice(2)}`);
  if (mutant) writeFileSync(`${base}.in.json`, JSON.stringify(mutant));
  const args = ["node_modules/vitest/vitest.mjs", "run", "--config", CONFIG, "--bail=1", "--reporter=json"];
  const pattern = `^(?:${(names ?? []).map(escaped).join("|")})$`;
  if (names && pattern.length < LONGEST_ARGUMENT) args.push("--testNamePattern", pattern);
  const child = spawn(process.execPath, [...args, `--outputFile=${base}.out.json`, ...files], {
    cwd: ROOT,
    detached: true,
    stdio: "ignore",
    env: {
      ...process.env,
      GPT2_TEST_ADAPTERS: adapter,
      ...(mutant ? { GPT2_MUTANT: `${base}.in.json` } : {}),
      ...extra,
    },
  });
  let late = false;
  const killGroup = (): void => {
    try {
      process.kill(-child.pid!, "SIGKILL");
    } catch {} // all of it has ended
  };
  const timer = mutant
    ? setTimeout(() => {
        late = true;
        killGroup();
      }, LIMIT_MS)
    : undefined;
  const code = await new Promise<number | null>((resolve) => child.on("exit", resolve));
  clearTimeout(timer);
  killGroup(); // a test process that a shader keeps from ending
  const report = existsSync(`${base}.out.json`) ? JSON.parse(readFileSync(`${base}.out.json`, "utf8")) : undefined;
  rmSync(`${base}.in.json`, { force: true });
  rmSync(`${base}.out.json`, { force: true });
  if (late) return { outcome: "killed", by: `no end within ${LIMIT_MS / 1000} s` };
  if (code === 0) return { outcome: "survived", by: "" };
  return verdictOf(report);
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      status: string;
      fullName: string;
      failureMessages: readonly string[] | null;
    }[];
  }[];
}

function verdictOf(report: Report | undefined): Verdict {
  for (const { name, message, assertionResults } of report?.testResults ?? []) {
    const failed = assertionResults.find(({ status }) => status === "failed");
    const why = failed ? (failed.failureMessages ?? []).join("\n") : message;
    if (!failed && !message) continue;
    if (NOT_COMPILED.test(why)) return { outcome: "not compiled", by: why.split("\n").slice(0, 3).join(" ") };
    const where = name.slice(name.indexOf("test/"));
    return {
      outcome: "killed",
      by: failed ? `${where}: ${failed.fullName.trim()}` : `${where}: ${why.split("\n")[0]}`,
    };
  }
  return { outcome: "killed", by: "the test process died" };
}

function escaped(name: string): string {
  return name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** Which tests read which shader, on one driver or the other, seen in a run of them all; the quickest first. */
export async function testsByShader(folders: readonly string[]): Promise<Map<string, Reader[]>> {
  const notes = join(tmpdir(), `shaders-used-${process.pid}.jsonl`);
  writeFileSync(notes, "");
  const tests = { files: folders };
  const { outcome, by } = await runTests(undefined, tests, "embedded,system", { GPT2_SHADERS_USED: notes });
  if (outcome !== "survived") throw new Error(`the tests fail without a mutant: ${by}`);
  const map = new Map<string, Reader[]>();
  for (const line of readFileSync(notes, "utf8").trim().split("\n")) {
    const { file, name, shaders, ms } = JSON.parse(line) as Reader & { shaders: string[] };
    const reader = { file: file.slice(ROOT.length), name, ms };
    for (const shader of shaders) map.set(shader, [...(map.get(shader) ?? []), reader]);
  }
  rmSync(notes);
  for (const readers of map.values()) readers.sort((a, b) => a.ms - b.ms);
  return map;
}
