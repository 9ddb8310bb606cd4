import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkWritable, isEmptyDirectory, makeDirectory } from "../../src/platform/node/directories.ts";

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "directories-"));
  writeFileSync(join(folder, "file"), "");
});
afterAll(() => rmSync(folder, { recursive: true }));

test("directories are made level by level, and those made are named", () => {
  const path = join(folder, "a/b/c");
  expect(makeDirectory(path)).toEqual([join(folder, "a"), join(folder, "a/b"), path]);
  expect(makeDirectory(path)).toEqual([]);
  expect(isEmptyDirectory(path)).toBe(true);
  expect(isEmptyDirectory(folder)).toBe(false);
});

describe("a place that nothing can be written to", () => {
  const places: [string, () => string, string][] = [
    ["below a file", () => join(folder, "file/run"), "a part of the path is a file"],
    ["a name of 300 characters", () => join(folder, "x".repeat(300)), "a part of its name is too long"],
    ["below /proc", () => "/proc/nothing/run", "the system makes none there"],
  ];
  test.each(places.filter(([where]) => where !== "below /proc" || process.platform === "linux"))(
    "%s is refused in one line",
    (_, path, why) => {
      expect(() => checkWritable(path())).toThrow(`no directory can be made (${why}); choose another`);
      expect(() => makeDirectory(path())).toThrow();
    },
  );
});

test("whether something can be written is found out without leaving anything", () => {
  checkWritable(join(folder, "new/deep/run"));
  expect(existsSync(join(folder, "new"))).toBe(false);
  mkdirSync(join(folder, "empty"));
  checkWritable(join(folder, "empty"));
  expect(readdirSync(join(folder, "empty"))).toEqual([]);
});

test("nothing in src/ uses Node's own recursive mkdir, which never returns below /proc", () => {
  const src = fileURLToPath(new URL("../../src/", import.meta.url));
  const files = readdirSync(src, { recursive: true }).map(String);
  const guilty = files.filter(
    (file) => file.endsWith(".ts") && /mkdir(Sync)?\([^;]*recursive/.test(readFileSync(join(src, file), "utf8")),
  );
  expect(guilty).toEqual([]);
});
