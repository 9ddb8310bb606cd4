import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const MODULES = fileURLToPath(new URL("./node_modules/", import.meta.url));
const PLATFORM = `${process.platform}-${process.arch}${process.platform === "linux" ? "-glibc" : ""}`;

/** The binary of the package `deno`, which is wgpu with its own compiler of WGSL, Naga; $GPT2_DENO names another one. */
const DENO = [process.env.GPT2_DENO, `${MODULES}deno/deno`, `${MODULES}@deno/${PLATFORM}/deno`].find(
  (path) => path !== undefined && existsSync(path),
);

export const hasDeno = DENO !== undefined;
if (!hasDeno) console.warn("no deno: nothing is tested on wgpu (npm --prefix test/tools ci)");

const LONGEST_MS = 10 * 60_000;

/** Runs a script without any permission and gives what it prints. `env`: besides this process's. */
export async function runInDeno(script: string, env: Readonly<Record<string, string>>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "deno-"));
  try {
    const file = join(folder, "script.js");
    writeFileSync(file, script);
    const { stdout } = await promisify(execFile)(DENO!, ["run", "--no-prompt", "--quiet", file], {
      env: { ...process.env, ...env, DENO_DIR: join(folder, "cache"), DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
      maxBuffer: 2 ** 26,
      timeout: LONGEST_MS,
    });
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
