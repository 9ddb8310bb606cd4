// Runs around each test file: notes which shaders it read.
import { appendFileSync } from "node:fs";
import { afterAll, expect } from "vitest";

const used = new Set<string>();
(globalThis as { shadersUsed?: Set<string> }).shadersUsed = used;

afterAll(() => {
  const { testPath } = expect.getState();
  appendFileSync(process.env.GPT2_SHADERS_USED!, `${JSON.stringify({ file: testPath, shaders: [...used] })}\n`);
});
