import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The program as it is installed. Compiled once for all tests: to compile it in each process takes seconds of every start. */
export const GPT2 = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Where the tests' processes find the playground. */
const PLAYGROUND = "GPT2_TEST_PLAYGROUND";

/** Before the first test: vitest's `globalSetup`. Gives what is done after the last. */
export function setup(): () => void {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  execFileSync(process.execPath, ["scripts/test-tools.mjs"], { cwd: root, stdio: "inherit" });
  execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit" });
  const folder = mkdtempSync(join(tmpdir(), "gpt2-playground-"));
  process.env[PLAYGROUND] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}

/** The playground as it is published, built once for all tests: whoever comes first builds it, the others wait. */
export async function builtPlayground(): Promise<string> {
  const shared = process.env[PLAYGROUND] ?? ownFolder();
  const folder = join(shared, "page");
  const done = join(shared, "done");
  try {
    mkdirSync(join(shared, "begun"));
  } catch {
    while (!existsSync(done)) await sleep(20);
    return folder;
  }
  try {
    await buildPlayground(folder);
  } finally {
    writeFileSync(done, "");
  }
  return folder;
}

/** Of a script, which has no tests around it. */
function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "gpt2-playground-"));
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
