/** The library of drm.c, which answers for the kernel's GPU drivers, and the process that has it from its beginning. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { buildLibrary } from "./build.ts";

/** What the library reads: which GPU it lists, none where that is empty. */
const GPU = "PRETENDED_GPU";

export function buildDrm(): string {
  return buildLibrary("drm", ["drm.c", "drm-i915.c", "drm-nouveau.c"], ["drm.h"]);
}

/** Whether this process has the library. */
export function hasPretendedGpu(): boolean {
  return readFileSync("/proc/self/maps", "utf8").includes(buildDrm());
}

/** Runs this program again with the library, and gives its exit status. Throws where that is what has just been done. */
export function runWithPretendedGpu(): number {
  const library = buildDrm();
  if (GPU in process.env)
    throw new Error(`${library} was not preloaded: $${GPU} is set, or its folder is mounted noexec`);
  const env = { ...process.env, LD_PRELOAD: [library, process.env.LD_PRELOAD ?? ""].join(":"), [GPU]: "" };
  const program = [...process.execArgv, ...process.argv.slice(1)];
  return spawnSync(process.execPath, program, { env, stdio: "inherit" }).status ?? 1;
}

/** The GPU that the library lists from now on: its kernel's driver, vendor and device of PCI, and what else that driver is asked of it. */
export function pretendGpu(driver: string, vendor: number, device: number, numbers: readonly number[]): void {
  process.env[GPU] = [driver, vendor.toString(16), device.toString(16), ...numbers].join(" ");
}
