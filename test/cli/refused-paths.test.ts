/** Paths that the system refuses to look at, wherever one is given: a line, and no stack. */
import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { statOf } from "../../src/platform/node/folder.ts";
import { gpt2 } from "../support/commands.ts";

let folder = "";

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "refused-")));
  writeFileSync(join(folder, "names.txt"), "abc\ncab\n");
  symlinkSync("loop", join(folder, "loop"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const PLACES: readonly (readonly [path: string, why: RegExp])[] = [
  ["loop", /its links go in a circle|does not exist/],
  ["loop/deeper", /its links go in a circle|there is no directory loop|does not exist/],
  ["x".repeat(300), /name is too long|does not exist/],
  ["names.txt/below", /there is no such directory|is no directory here|a part of the path is a file|does not exist/],
];

test.each([
  "generate --model",
  "eval --data names.txt --model",
  "train --data names.txt --model",
  "train --resume",
  "train --config",
  "train --data",
  "train --data names.txt --eval-data",
  "train --data names.txt --device cpu --output-dir",
  "merge --output-dir merged --model",
  "merge --output-dir merged --model . --adapter",
  "report",
  "verify --fixture",
])("gpt2 %s PATH", async (line) => {
  for (const [path, why] of PLACES) {
    const { code, stderr } = await gpt2([...line.split(" "), path], {
      cwd: folder,
      // No hub answers there.
      env: { HF_ENDPOINT: "http://127.0.0.1:9", HF_HOME: join(folder, "hub") },
    });
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^gpt2: [^\n]*\n$/) });
    expect(stderr).toMatch(why);
  }
});

test("what lies below a file is not there, and what the system does not tell is an error", () => {
  expect(statOf(join(folder, "names.txt"))?.isFile()).toBe(true);
  expect(statOf(join(folder, "nothing"))).toBeUndefined();
  expect(statOf(join(folder, "names.txt/below"))).toBeUndefined();
  expect(() => statOf(join(folder, "loop"))).toThrow(/loop: its links go in a circle$/);
});
