import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expandPaths } from "../../src/platform/node/data-files.ts";

let folder = "";

beforeAll(() => {
  folder = join(mkdtempSync(join(tmpdir(), "patterns-")), "[old] {a,b}");
  mkdirSync(join(folder, "below"), { recursive: true });
  for (const name of ["x2.txt", "x1.txt", "y.txt", "below/x3.txt"]) writeFileSync(join(folder, name), "");
});
afterAll(() => rmSync(join(folder, ".."), { recursive: true }));

test("a pattern below a folder whose name looks like one finds its files, by their paths, in order", async () => {
  expect(await expandPaths([join(folder, "x*.txt")])).toEqual([join(folder, "x1.txt"), join(folder, "x2.txt")]);
  expect(await expandPaths([join(folder, "**/x3.txt")])).toEqual([join(folder, "below/x3.txt")]);
  await expect(expandPaths([join(folder, "z*.txt")])).rejects.toThrow(/z\*\.txt: no file has such a name/);
});

test("one path is no list of them", async () => {
  await expect(expandPaths("x*.txt" as never)).rejects.toThrow(
    'expandPaths: paths are the text "x*.txt"; wanted a list',
  );
});

test("a file: URL is the file that it names", async () => {
  const path = join(folder, "y.txt");
  expect(await expandPaths([pathToFileURL(path).href])).toEqual([path]);
});
