import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { tryFaults } from "../support/save-faults.ts";

function straceWorks(): boolean {
  try {
    execFileSync("strace", ["-o", "/dev/null", "true"], { stdio: "ignore" });
    return true;
  } catch {
    console.warn("failing system calls are not tested: strace is not here, or may not trace");
    return false;
  }
}

// scripts/save-faults.ts takes every kind of call.
test.skipIf(!straceWorks())(
  "a save whose renaming fails, or is its end, loses nothing",
  async () => {
    const faults = { rename: ["error=EIO", "signal=SIGKILL"] };
    const { counts, ended, wrong } = await tryFaults(["save"], faults);
    expect(wrong).toEqual([]);
    expect(counts.get("save rename")).toBe(4);
    expect(ended).toEqual({ done: 1, refused: 1, killed: 2 });
  },
  240_000,
);
