import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withAbsolutePaths, withFoundPaths } from "../../../src/cli/settings/paths.ts";

const silent = (): void => {};
let project = "";

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "project-"));
  mkdirSync(join(project, "runs/names-1"), { recursive: true });
  mkdirSync(join(project, "base"));
  for (const name of ["names.txt", "part1.txt"]) writeFileSync(join(project, name), "ada\n");
});
afterAll(() => rmSync(project, { recursive: true }));

test("a run records paths that mean the same in any directory; standard input and models of the hub are none", () => {
  const url = pathToFileURL(join(project, "names.txt")).href;
  expect(withAbsolutePaths({ data: ["a.txt", "x*.txt", "-", url], evalData: ["/e.txt"], model: "src" })).toEqual({
    data: [resolve("a.txt"), resolve("x*.txt"), "-", join(project, "names.txt")],
    evalData: ["/e.txt"],
    model: resolve("src"),
  });
  expect(withAbsolutePaths({ model: "gpt2" })).toEqual({ model: "gpt2" });
  expect(withAbsolutePaths({ model: "owner/name@main" })).toEqual({ model: "owner/name@main" });
});

test("paths of older runs are found where runs/ lies, and a line says so", () => {
  const lines: string[] = [];
  const run = join(project, "runs/names-1");
  const recorded = { data: ["names.txt", "part*.txt", "-"], evalData: ["package.json"], model: "base" };
  expect(withFoundPaths(recorded, run, (line) => lines.push(line))).toEqual({
    data: [join(project, "names.txt"), join(project, "part*.txt"), "-"],
    evalData: ["package.json"],
    model: join(project, "base"),
  });
  expect(lines[0]).toBe(`names.txt is taken from ${project}, where runs/ lies`);
  expect(lines).toHaveLength(3);
  expect(withFoundPaths({ model: "gpt2" }, run, silent)).toEqual({ model: "gpt2" });
});

test("data that is nowhere is an error that says how to go on", () => {
  const run = join(project, "runs/names-1");
  expect(() => withFoundPaths({ data: ["gone.txt"] }, run, silent)).toThrow(
    `${run}: its data was gone.txt, relative to where it was started, and is not there; say where: --data <files>`,
  );
  expect(() => withFoundPaths({ evalData: ["/gone/x*.txt"] }, run, silent)).toThrow(
    `${run}: its data was /gone/x*.txt, and is not there; say where: --eval-data <files>`,
  );
});
