// Runs around each test: notes which shaders it read, and how long it took.
import { appendFileSync } from "node:fs";
import { afterEach, beforeEach, type TestContext } from "vitest";

const used = new Set<string>();
(globalThis as { shadersUsed?: Set<string> }).shadersUsed = used;

let began = 0;

beforeEach(() => {
  used.clear();
  began = Date.now();
});

afterEach(({ task }) => {
  const ms = Date.now() - began;
  const note = { file: task.file.filepath, name: fullName(task), shaders: [...used], ms };
  if (used.size > 0) appendFileSync(process.env.GPT2_SHADERS_USED!, `${JSON.stringify(note)}\n`);
});

/** As a pattern of `--testNamePattern` meets it. */
function fullName({ name, suite }: Pick<TestContext["task"], "name" | "suite">): string {
  return suite ? `${fullName(suite)} ${name}` : name;
}
