import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The program as it is installed. Compiled once for all tests: to compile it in each process takes seconds of every start. */
export const GPT2 = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Before the first test: vitest's `globalSetup`. */
export function setup(): void {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit" });
}
