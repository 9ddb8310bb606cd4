/** MPI's standard ABI, which no MPI of Debian 12 has: a library that has it and forwards to Open MPI or MPICH. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestMpi } from "./mpi.ts";

const source = fileURLToPath(new URL("mpi-abi.c", import.meta.url));

/** Whether it can be built here. */
export const hasCompiler = ((): boolean => {
  try {
    execFileSync("gcc", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    console.warn("MPI's standard ABI is not tested: gcc is not there");
    return false;
  }
})();

/** Builds it in `directory`; gives its path, under the name that the standard wants. */
export function buildAbi(directory: string): string {
  const path = join(directory, "libmpi_abi.so.1");
  const flags = ["-std=gnu11", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"];
  execFileSync("gcc", [...flags, source, "-o", path, "-ldl"]);
  return path;
}

/** What a job's environment says, so that its ranks use the library at `path` in place of that of `mpi`. */
export function throughAbi(path: string, mpi: TestMpi): NodeJS.ProcessEnv {
  return { GPT2_MPI_LIBRARY: path, GPT2_TEST_MPI: mpi.name === "MPICH" ? "libmpich.so.12" : "libmpi.so.40" };
}
