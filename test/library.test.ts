/** The package as its users have it, packed and installed, in the programs that README.md and the pages of docs/ print. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CommandResult, runCommands } from "./support/commands.ts";
import { testAdapters } from "./support/gpu.ts";
import { addPackage, installPackage } from "./support/package.ts";

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

const programs = ["docs/library.md", "docs/data.md"].flatMap(programsOf);

/** A line that each program prints, in the order of the pages. */
const PRINTS: readonly RegExp[] = [
  /^60 \d\.\d+\n\[ '.*', '.*' \]$/m,
  /^(sampled jo.*\n){3}(piece .+\n)+loss true true 12$/m,
  /^interrupted [5-9]\nfinished 12\n.+$/m,
  /^20 \d\.\d{3}$/m,
  /^.* (end|length)\n.* (end|length)$/m,
  /^better \d\.\d{3} \d\.\d{3}\nconfig\.json .*model\.safetensors$/m,
  /^stopped\nfirst true$/m,
  /^true .*adapter_config\.json.*$/m,
  /^\[ 3, 3 \]$/m,
  /^gradient true$/m,
  /^3 21$/m,
];

let folder = "";
let tarball = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "library-"));
  tarball = await installPackage(folder);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  for (const [i, { code }] of programs.entries()) {
    writeFileSync(join(folder, `program-${i}.ts`), code);
    writeFileSync(join(folder, `program-${i}.js`), code); // as whoever has no TypeScript takes it
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the pages have the programs that are looked for", () => {
  expect(programs.map(({ title }) => title)).toHaveLength(PRINTS.length);
});

describe("the tarball", () => {
  const tool = (name: string, ...args: string[]): Promise<string> =>
    promisify(execFile)(process.execPath, [join(root, "test/tools/node_modules", name), ...args], { cwd: folder }).then(
      ({ stdout }) => stdout,
      ({ stdout, stderr }) => `${stdout}${stderr}`,
    );

  test("has nothing that publint finds wrong", async () => {
    expect(await tool("publint/src/cli.js", "run", tarball, "--strict")).toContain("All good!");
  });

  test("has types for whoever can import it, which CommonJS and Node 10 cannot", async () => {
    const cli = "@arethetypeswrong/cli/dist/index.js";
    const { analysis } = JSON.parse(await tool(cli, tarball, "--profile", "esm-only", "--format", "json"));
    const others = ["node10", "node16-cjs"];
    const wrong = analysis.problems.filter((one: { resolutionKind?: string }) => !others.includes(one.resolutionKind!));
    expect(Object.keys(analysis.entrypoints)).toEqual([".", "./node", "./browser", "./package.json"]);
    expect(wrong).toEqual([]);
  });

  test.each(["", "test/tools/", "bench/peers/"])("needs no install script: %spackage.json denies each", (place) => {
    const json = (name: string) => JSON.parse(readFileSync(root + place + name, "utf8"));
    const packages = Object.entries<{ hasInstallScript?: boolean }>(json("package-lock.json").packages);
    const scripts = packages.filter(([, { hasInstallScript }]) => hasInstallScript);
    const names = scripts.map(([path]) => path.replace(/^.*node_modules\//, ""));
    expect(json("package.json").allowScripts).toEqual(Object.fromEntries(names.map((name) => [name, false])));
  });

  test("names no file that it has not: no link of its pages, no source map, no type", () => {
    const installed = join(folder, "node_modules/webgpu-gpt2");
    const files = readdirSync(installed, { recursive: true }).map(String);
    expect(files.filter((file) => file.endsWith(".map"))).toEqual([]);
    const missing = files.flatMap((file) => {
      if (!/\.(md|js|d\.ts)$/.test(file)) return [];
      const text = readFileSync(join(installed, file), "utf8");
      const names = file.endsWith(".md")
        ? Array.from(text.matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g), (match) => match[1]!)
        : Array.from(
            text.matchAll(/^(?:import|export)[^"]*? from "(\.[^"]+)"|\bimport\("(\.[^"]+)"\)/gm),
            (match) => (match[1] ?? match[2])!,
          );
      // Declarations name sources, and mean the declarations of these.
      const place = (name: string): string =>
        join(installed, file, "..", file.endsWith(".d.ts") ? name.replace(/\.(ts|js)$/, ".d.ts") : name);
      return names.filter((name) => !existsSync(place(name))).map((name) => `${file}: ${name}`);
    });
    expect(missing).toEqual([]);
  });
});

/** The older ones, which take some seconds each, with one of the two ways of finding modules. */
const COMPILERS = [
  ["TypeScript 5.9", "test/tools/node_modules/typescript-5.9", "nodenext"],
  ["TypeScript 6", "test/tools/node_modules/typescript", "bundler"],
  ["TypeScript 7", "node_modules/typescript", "nodenext"],
  ["TypeScript 7", "node_modules/typescript", "bundler"],
] as const;

// Our declarations are checked as well; TypeScript's own, which take longest, are not.
test.concurrent.each(COMPILERS)(
  "$0 --moduleResolution $2 takes them at its strictest",
  async (_, compiler, resolution) => {
    const module = resolution === "bundler" ? "esnext" : resolution;
    const strict = ["--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--verbatimModuleSyntax"];
    const target = ["--target", "es2023", "--module", module, "--moduleResolution", resolution, "--types", "node"];
    const files = programs.map((_, i) => `program-${i}.ts`);
    const options = [...strict, ...target, "--noEmit", "--skipLibCheck", "false", "--skipDefaultLibCheck"];
    const tsc = join(root, compiler, "bin/tsc");
    const run = promisify(execFile)(process.execPath, [tsc, ...options, ...files], { cwd: folder });
    expect(await run.catch(({ stdout }) => ({ stdout }))).toMatchObject({ stdout: "" });
  },
  180_000,
);

describe.each([...testAdapters, "wasm"])("on %s", (adapter) => {
  const results: CommandResult[] = [];
  beforeAll(async () => {
    if (adapter === "embedded") addPackage(folder, "@sparticuz/chromium");
    for (const made of ["names", "run", "model"]) rmSync(join(folder, made), { recursive: true, force: true });
    const commands = programs.map((_, i) => ({ line: "", program: join(folder, `program-${i}.js`) }));
    await runCommands(commands, folder, adapter, (result) => results.push(result));
  }, 120_000);

  test.each(programs.map(({ title }, i) => [title, i] as const))("%s", (_, i) => {
    expect(results[i]).toMatchObject({ code: 0, stderr: "" });
    expect(results[i]?.stdout).toMatch(PRINTS[i]!);
  });
});
