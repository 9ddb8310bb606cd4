import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/sequence.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/build.ts",
    // Processes, since drivers are native code that may take its process along; kept between files, since opening a
    // device costs more than most test files. Two, since a software driver uses every core by itself.
    pool: "forks",
    isolate: false,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
