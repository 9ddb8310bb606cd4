import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { importsOf, violationsIn } from "./support/architecture.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

function sourcesIn(folder: string): Map<string, string> {
  const files = readdirSync(`${root}${folder}`, { recursive: true }).map(String);
  const paths = files.filter((file) => file.endsWith(".ts")).map((file) => `${folder}/${file.replaceAll("\\", "/")}`);
  return new Map(paths.sort().map((path) => [path, readFileSync(root + path, "utf8")]));
}

test("src/ keeps to its layers: no arrow upwards, no cycle, Node only at the edge", () => {
  const files = sourcesIn("src");
  expect(files.size).toBeGreaterThan(50);
  expect(violationsIn(files)).toEqual([]);
});

test("one file writes to standard output and error, and nothing ends the process by itself", () => {
  const writers = [...sourcesIn("src")].filter(([, text]) => {
    const code = text.replace(/^\s*(\/\/|\/?\*).*$/gm, "");
    return /\bconsole\.|\bprocess\.(stdout|stderr|abort)\b/.test(code) || /\bprocess\.exit\(/.test(code);
  });
  expect(writers.map(([path]) => path)).toEqual(["src/cli/terminal.ts"]);
});

describe("the checker", () => {
  const shape = ["src/core/shape.ts", "export const x = 1;\n"] as const;
  const add = ["src/kernels/add.ts", 'import { x } from "../core/shape.ts";\n'] as const;

  test("finds nothing wrong with arrows downwards and within a folder", () => {
    const more = ["src/kernels/index.ts", 'export { y } from "./add.ts";\n'] as const;
    expect(violationsIn(new Map([shape, add, more]))).toEqual([]);
  });

  test.each([
    ["an arrow upwards", "src/core/up.ts", 'import { x } from "../kernels/add.ts";', /core may import nothing/],
    ["a type's arrow upwards", "src/core/up.ts", 'import type { X } from "../kernels/add.ts";', /may import nothing/],
    ["a re-export upwards", "src/core/up.ts", 'export * from "../kernels/add.ts";', /may import nothing/],
    ["a dynamic import upwards", "src/core/up.ts", 'await import("../kernels/add.ts");', /may import nothing/],
    ["an import over several lines", "src/core/up.ts", 'import {\n  x,\n} from "../kernels/add.ts";', /nothing/],
    ["a folder nobody knows", "src/extra/a.ts", 'import "../core/shape.ts";', /not in the table/],
    ["a file that is not there", "src/kernels/a.ts", 'import "./gone.ts";', /no such file/],
    ["Node in the middle", "src/io/a.ts", 'import { readFile } from "node:fs";', /may use Node/],
    ["a package in the middle", "src/model/a.ts", 'import { z } from "valibot";', /packages allowed here: none/],
    ["the browser's entry reaching Node's", "src/platform/browser.ts", 'import "./node.ts";', /must run in a browser/],
  ])("finds %s", (_, path, text, message) => {
    const node = ["src/platform/node.ts", 'import "node:fs";\n'] as const;
    const found = violationsIn(new Map<string, string>([shape, add, node, [path, text]]));
    expect(found).toEqual([expect.stringMatching(message)]);
  });

  test("finds a cycle between files, and names it", () => {
    const files = new Map([
      ["src/core/a.ts", 'import "./b.ts";'],
      ["src/core/b.ts", 'import type { C } from "./c.ts";'],
      ["src/core/c.ts", 'export { a } from "./a.ts";'],
    ]);
    expect(violationsIn(files)).toEqual(["a cycle: src/core/a.ts -> src/core/b.ts -> src/core/c.ts -> src/core/a.ts"]);
  });

  test("allows Node where it belongs", () => {
    const files = new Map([
      ["src/cli/main.ts", 'import "node:fs";\nimport "commander";\nimport "../platform/node.ts";'],
      ["src/platform/node.ts", 'import "./node/dawn.ts";'],
      ["src/platform/node/dawn.ts", 'import "node:module";'],
    ]);
    expect(violationsIn(files)).toEqual([]);
  });

  test("reads no imports out of comments", () => {
    expect(importsOf('/**\n * import { a } from "b";\n */\n// import "c";\n')).toEqual([]);
  });
});
