import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The program as it is installed. Compiled once for all tests: to compile it in each process takes seconds of every start. */
export const GPT2 = fileURLToPath(new URL("../../dist/bundle/gpt2.js", import.meta.url));

/** Where the tests' processes find what is made once for all of them. */
const MADE = "GPT2_TEST_MADE";

/** Before the first test: vitest's `globalSetup`. Gives what is done after the last. */
export function setup(): () => void {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  execFileSync(process.execPath, ["scripts/test-tools.mjs"], { cwd: root, stdio: "inherit" });
  execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit" });
  const folder = mkdtempSync(join(tmpdir(), "gpt2-made-"));
  process.env[MADE] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}

/** A folder that `make` fills once for all tests: whoever comes first makes it, the others wait. */
export async function madeOnce(name: string, make: (folder: string) => Promise<unknown>): Promise<string> {
  const shared = process.env[MADE] ?? ownFolder();
  const folder = join(shared, name);
  const done = join(shared, `${name}.done`);
  try {
    mkdirSync(folder);
  } catch {
    while (!existsSync(done)) await sleep(20);
    return folder;
  }
  try {
    await make(folder);
  } finally {
    writeFileSync(done, "");
  }
  return folder;
}

/** The playground as it is published. */
export const builtPlayground = (): Promise<string> => madeOnce("playground", buildPlayground);

/** Of a script, which has no tests around it. */
function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "gpt2-made-"));
  process.env[MADE] = folder;
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function buildPlayground(folder: string): Promise<void> {
  const { build } = await import("vite");
  const configFile = fileURLToPath(new URL("../../web/playground/vite.config.ts", import.meta.url));
  const { NODE_ENV } = process.env;
  // As it is published, although a test builds it.
  process.env.NODE_ENV = "production";
  try {
    await build({ configFile, logLevel: "error", build: { outDir: folder, emptyOutDir: true } });
  } finally {
    if (NODE_ENV === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = NODE_ENV;
  }
}
