import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/sequence.ts";

// What a driver or a compiler frees is kept for its next shader: page faults were a seventh of the time.
process.env.MALLOC_TOP_PAD_ ??= `${64 << 20}`;
process.env.MALLOC_TRIM_THRESHOLD_ ??= `${1 << 30}`;
// Whoever sets these fixes the size from which on memory is the system's each time, which grows else: the largest there is.
process.env.MALLOC_MMAP_THRESHOLD_ ??= `${32 << 20}`;

// Commands speak as they are called by npm, which tests are not of.
delete process.env.npm_command;

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/build.ts",
    // Processes, since drivers are native code that may take its process along; kept between files, since opening a
    // device costs more than most test files. More than two cores, since browsers, drivers and commands wait now and then.
    pool: "forks",
    isolate: false,
    maxWorkers: 3,
    // Of tests that say they may be: those of a browser, which wait for each other's processor time.
    maxConcurrency: 2,
    sequence: { sequencer: LongestFirst },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
