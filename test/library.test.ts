/** The library as its users have it: built, by its package's name, in the programs that README.md and docs/library.md print. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { transform } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CommandResult, runCommands } from "./support/commands.ts";
import { testAdapters } from "./support/gpu.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

interface Program {
  readonly title: string;
  readonly code: string;
}

/** The programs of a page, by the headings above them. */
function programsOf(page: string): Program[] {
  const text = readFileSync(root + page, "utf8");
  return Array.from(text.matchAll(/^## (.*?)\n(?:(?!^## ).*\n)*?```ts\n([\s\S]*?)^```/gm), ([, title, code]) => {
    return { title: `${page}: ${title}`, code: code! };
  });
}

const programs = ["docs/library.md", "README.md", "docs/data.md"].flatMap(programsOf);

/** A line that each program prints, in the order of the pages. */
const PRINTS: readonly RegExp[] = [
  /^20 \d\.\d{3}$/m,
  /^.* (end|length)\n.* (end|length)$/m,
  /^better \d\.\d{3} \d\.\d{3}\nconfig\.json .*model\.safetensors$/m,
  /^stopped\nfirst true$/m,
  /^true .*adapter_config\.json.*$/m,
  /^\[ 3, 3 \]$/m,
  /^gradient true$/m,
  /^60 \d\.\d+$/m,
  /^3 21$/m,
];

let folder = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "library-"));
  mkdirSync(join(folder, "node_modules/@types"), { recursive: true });
  symlinkSync(root, join(folder, "node_modules/webgpu-gpt2"));
  symlinkSync(join(root, "node_modules/@types/node"), join(folder, "node_modules/@types/node"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  for (const [i, { code }] of programs.entries()) {
    writeFileSync(join(folder, `program-${i}.ts`), code);
    writeFileSync(join(folder, `program-${i}.js`), (await transform(code, { loader: "ts" })).code);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the pages have the programs that are looked for", () => {
  expect(programs.map(({ title }) => title)).toHaveLength(PRINTS.length);
});

const COMPILERS = ["typescript-5.9", "typescript-6", "typescript"].flatMap((compiler) => [
  [compiler, "nodenext"] as const,
  [compiler, "bundler"] as const,
]);

// Our declarations are checked as well; TypeScript's own, which take longest, are not.
test.concurrent.each(COMPILERS)(
  "%s --moduleResolution %s takes them at its strictest",
  async (compiler, resolution) => {
    const module = resolution === "bundler" ? "esnext" : resolution;
    const strict = ["--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--verbatimModuleSyntax"];
    const target = ["--target", "es2023", "--module", module, "--moduleResolution", resolution, "--types", "node"];
    const files = programs.map((_, i) => `program-${i}.ts`);
    const options = [...strict, ...target, "--noEmit", "--skipLibCheck", "false", "--skipDefaultLibCheck"];
    const tsc = join(root, "node_modules", compiler, "bin/tsc");
    const run = promisify(execFile)(process.execPath, [tsc, ...options, ...files], { cwd: folder });
    expect(await run.catch(({ stdout }) => ({ stdout }))).toMatchObject({ stdout: "" });
  },
);

describe.each(testAdapters)("on %s", (adapter) => {
  const results: CommandResult[] = [];
  beforeAll(async () => {
    const commands = programs.map((_, i) => ({ line: "", program: join(folder, `program-${i}.js`) }));
    await runCommands(commands, folder, adapter, (result) => results.push(result));
  }, 120_000);

  test.each(programs.map(({ title }, i) => [title, i] as const))("%s", (_, i) => {
    expect(results[i]).toMatchObject({ code: 0, stderr: "" });
    expect(results[i]?.stdout).toMatch(PRINTS[i]!);
  });
});
