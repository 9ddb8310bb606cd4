import { defineConfig } from "vitest/config";

// lavapipe makes Dawn remark, at every look at the adapter, on a limit that kernels do not use; from the test processes
// that cannot be stopped at its source.
const write = process.stderr.write.bind(process.stderr);
process.stderr.write = ((chunk: string | Uint8Array, ...rest: []) => {
  const text = typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
  return write(text.replace(/^Warning: .* artificially reduced .*\n/gm, ""), ...rest);
}) as typeof process.stderr.write;

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/build.ts",
    // Processes, since drivers are native code that may take its process along; kept between files, since opening a
    // device costs more than most test files. Two, since a software driver uses every core by itself.
    pool: "forks",
    isolate: false,
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
