import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { GPT2 } from "./support/build.ts";
import { testAdapters } from "./support/gpu.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const read = (file: string): string => readFileSync(root + file, "utf8");
const readme = read("README.md");

async function node(...args: string[]): Promise<string> {
  const env = { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", GPT2_ADAPTER: testAdapters[0] };
  return (await promisify(execFile)(process.execPath, args, { cwd: root, env })).stdout;
}

/** The fenced blocks of a language in a page. */
function blocks(page: string, language: string): string[] {
  return Array.from(page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms")), (match) => match[1]!);
}

describe("README.md", () => {
  test("its program is examples/fine-tune.js, which test/examples runs, in 15 lines at most", () => {
    const [program] = blocks(readme, "js");
    expect(program).toBe(read("examples/fine-tune.js"));
    expect(program!.trimEnd().split("\n").length).toBeLessThanOrEqual(15);
  });

  test("every command and option that it names exists", async () => {
    const shown = blocks(readme, "sh").flatMap((block) => block.match(/^gpt2 .*$/gm) ?? []);
    expect(shown.length).toBeGreaterThan(5);
    const commands = new Set(shown.map((line) => line.split(" ")[1]!));
    for (const command of commands) {
      const help = await node(GPT2, command, "--help");
      const options = shown
        .filter((line) => line.split(" ")[1] === command)
        .flatMap((line) => line.replace(/ #.*/, "").match(/--[a-z0-9-]+/g) ?? []);
      for (const option of options) expect(help, `gpt2 ${command}`).toContain(option);
    }
  });
});

test("docs/adding-an-op.md shows `add` as it is", () => {
  const page = read("docs/adding-an-op.md");
  expect(blocks(page, "wgsl")).toEqual([read("shaders/add.wgsl")]);
  const op = read("src/kernels/add.ts");
  const shown = blocks(page, "ts");
  expect(op.slice(op.indexOf("/** y = a + b"))).toBe(shown[0]);
  expect(shown.slice(1, 4)).toEqual(
    ["src/kernels/gpu/add.ts", "src/kernels/wasm/add.ts", "test/kernels/add.test.ts"].map(read),
  );
  expect(blocks(page, "js")).toEqual([read("examples/relu-squared.js")]);
});

test.each(["README.md", "docs/architecture.md", "docs/adding-an-op.md", "docs/performance.md"])(
  "%s names files that exist",
  (page) => {
    const paths = Array.from(
      read(page).matchAll(/`((?:src|test|docs|shaders|bench|examples)\/[\w./-]+)`/g),
      (m) => m[1]!,
    );
    for (const path of paths) {
      if (/^src\/kernels\/(x|shaders\.gen)\.ts$/.test(path)) continue;
      expect(() => readFileSync(root + path.replace(/\/$/, "/.")), path).not.toThrow(/ENOENT/);
    }
  },
);
