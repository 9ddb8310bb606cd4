/** What a page loads of the library: the installed package, bundled by Vite as its users do. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installPackage } from "./support/package.ts";

/** Trains, samples and saves. */
const TRAINING = `import { charTokenizer, createModel, finetune } from "webgpu-gpt2";
const texts = ["ann", "bob"];
const model = await createModel({ nLayer: 1 }, charTokenizer(texts.join("")));
await finetune(model, texts, { maxSteps: 2 });
console.log(await model.generate("a"));
await model.save(new Map());
`;

interface Chunk {
  readonly name: string;
  /** Bytes, gzipped. */
  readonly size: number;
  /** Loaded with the entry, before anything runs. */
  readonly first: boolean;
  readonly modules: readonly string[];
}

let folder = "";

async function chunksOf(program: string, entry = "entry.js"): Promise<Chunk[]> {
  writeFileSync(join(folder, entry), program);
  const result = await build({
    root: folder,
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      target: "es2022",
      modulePreload: { polyfill: false },
      rolldownOptions: { input: join(folder, entry) },
    },
  });
  const { output } = (Array.isArray(result) ? result[0]! : result) as Exclude<
    typeof result,
    { close(): unknown } | unknown[]
  >;
  const chunks = new Map(output.flatMap((one) => (one.type === "chunk" ? [[one.fileName, one] as const] : [])));
  const first = new Set<string>();
  const add = (name: string): void => {
    if (first.has(name)) return;
    first.add(name);
    for (const next of chunks.get(name)!.imports) add(next);
  };
  add([...chunks.values()].find(({ isEntry }) => isEntry)!.fileName);
  return [...chunks.values()].map(({ fileName, code, modules }) => ({
    name: fileName,
    size: gzipSync(code).length,
    first: first.has(fileName),
    modules: Object.entries(modules).flatMap(([path, { renderedLength }]) => (renderedLength > 0 ? [path] : [])),
  }));
}

function sizeOf(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { size }) => sum + size, 0);
}

let chunks: Chunk[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bundle-"));
  await installPackage(folder);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  chunks = await chunksOf(TRAINING);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** KiB, gzipped. What a page loads before it does anything; docs/library.md says so. */
const MOST_FIRST = 100;

test(`a page that trains begins with at most ${MOST_FIRST} KiB`, () => {
  expect(sizeOf(chunks.filter(({ first }) => first)) / 1024).toBeLessThan(MOST_FIRST);
});

test.each([
  ["the shaders", /kernels\/shaders\.gen\.js$/],
  ["the GPU's executor", /runtime\/plan\.js$/],
  ["what opens a GPU", /gpu\/device\.js$/],
  ["kernels for GPUs", /kernels\/gpu\/.*\.js$/],
  ["kernels in WebAssembly", /kernels\/wasm\/.*\.js$/],
  ["the reference on the CPU", /runtime\/cpu\.js$/],
  ["the module of WebAssembly", /kernels\/wasm\.gen\.js$/],
  ["the executor in WebAssembly", /runtime\/wasm\/plan\.js$/],
  ["what generates", /generate\/(generate|decoder)\.js$/],
  ["byte pair encoding", /text\/gpt2\.js$/],
  ["GPT-2's vocabulary", /text\/gpt2-tokens\.gen\.js$/],
  ["Parquet", /hyparquet\//],
  ["tables", /papaparse/],
  ["text", /data\/(lines|utf8)\.js$/],
  ["ids", /data\/id-files\.js$/],
  ["JSON lines", /data\/jsonl\.js$/],
  ["TensorBoard's format", /report\/tensorboard\.js$/],
  ["the report's page", /report\/page\.gen\.js$/],
  ["zips", /fflate/],
  ["models behind URLs", /browser\/fetch\.js$/],
  ["beams", /generate\/beams\.js$/],
  ["what reads a model", /run\/open-model\.js$/],
  ["tokenizers of files", /text\/load\.js$/],
  ["other tools' settings", /settings\/elsewhere\.js$/],
])("%s are there when they are wanted, and not before", (_, module) => {
  const having = chunks.filter(({ modules }) => modules.some((path) => module.test(path)));
  expect(having.length).toBeGreaterThan(0);
  expect(having.filter(({ first }) => first)).toEqual([]);
});

/** Those of docs/library.md that need no Node. */
const PROGRAMS = Array.from(
  readFileSync(new URL("../docs/library.md", import.meta.url), "utf8").matchAll(
    /^## (.*?)\n(?:(?!^## ).*\n)*?```ts\n([\s\S]*?)^```/gm,
  ),
  (match) => [match[1]!, match[2]!] as const,
).filter(([, code]) => !/"node:|webgpu-gpt2\/node"/.test(code));

test.each(PROGRAMS)("docs/library.md: %s is bundled for a page", async (_, code) => {
  const all = await chunksOf(code, "entry.ts");
  expect(
    all.flatMap(({ modules }) => modules).filter((path) => /platform\/node|__vite-browser-external/.test(path)),
  ).toEqual([]);
});

test("docs/library.md has programs for a page", () => {
  expect(PROGRAMS.length).toBeGreaterThan(3);
});

test("what is imported and not used leaves nothing behind", async () => {
  const [only, ...more] = await chunksOf('import * as g from "webgpu-gpt2";\nconsole.log(g.END_OF_TEXT);\n');
  expect(more).toEqual([]);
  expect(only!.size).toBeLessThan(1024);
});

test("a program of one's own has what it names and no more", async () => {
  const program =
    'import { createCpuRuntime, createTape, f32 } from "webgpu-gpt2";\nconst tape = createTape();\ntape.output("x", tape.input("x", f32([1])));\nconsole.log(createCpuRuntime().compile(tape));\n';
  const own = await chunksOf(program);
  expect(sizeOf(own) / 1024).toBeLessThan(10);
});
