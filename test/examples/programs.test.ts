/** The programs of examples/, as someone runs them who has installed the package. */
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { addPackage, installPackage } from "../support/package.ts";

const GPT2 = join("node_modules", "webgpu-gpt2", "dist/bundle/gpt2.js");
const examples = fileURLToPath(new URL("../../examples/", import.meta.url));
let folder = "";

const run = (...args: string[]): Promise<string> => runIn(folder, ...args);

async function runIn(cwd: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", GPT2_ADAPTER: "wasm" };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd, env });
  expect(stderr).toBe("");
  return stdout;
}

/** A model that takes a second where GPT-2 takes minutes. */
const TINY = `import { byteTokenizer, createModel } from "webgpu-gpt2";
const model = await createModel({ nLayer: 1, nEmbd: 32, nHead: 2, nPositions: 64 }, byteTokenizer());
await model.save("tiny");
await model.close();
`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "examples-"));
  await installPackage(folder);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  for (const name of readdirSync(examples)) copyFileSync(examples + name, join(folder, name));
  writeFileSync(join(folder, "tiny.js"), TINY);
  await run("tiny.js");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("fine-tune.js learns a list, writes more of it, and saves a model that loads again", async () => {
  const printed = await run("fine-tune.js", "tiny", "emails.txt", "10");
  expect(printed).toMatch(/^10 \d\.\d+$/m);
  expect(printed.match(/^ {2}['"`]/gm)).toHaveLength(20);
  expect(
    await run(
      "-e",
      'import("webgpu-gpt2").then(async (g) => console.log((await g.loadModel("fine-tuned")).config.width))',
    ),
  ).toBe("32\n");
});

test("fine-tune.js has texts of its own, wherever it is called", async () => {
  mkdirSync(join(folder, "elsewhere"));
  expect(await runIn(join(folder, "elsewhere"), "../fine-tune.js", "../tiny")).toMatch(/^200 \d\.\d+$/m);
});

test("lora.js corrects a model, saves the corrections and the whole", async () => {
  const [, before, after] = /^loss (\d\.\d+) -> (\d\.\d+)$/m.exec(await run("lora.js", "tiny", "10")) ?? [];
  expect(Number(after)).toBeLessThan(Number(before));
  expect(readdirSync(join(folder, "lora-run/model"))).toContain("adapter_model.safetensors");
  expect(readdirSync(join(folder, "merged"))).toContain("model.safetensors");
});

test("training-loop.js learns sums", async () => {
  const printed = await run("training-loop.js", "60");
  const losses = Array.from(printed.matchAll(/loss (\d\.\d+)/g), (match) => Number(match[1]));
  expect(losses).toHaveLength(4);
  expect(losses[3]).toBeLessThan(0.5 * losses[0]!);
});

test("a driver that only tests need is not installed with the package, and a command that wants it says how", async () => {
  await expect(run(GPT2, "generate", "--model", "tiny", "--device", "embedded")).rejects.toMatchObject({
    code: 5,
    stderr: "gpt2: the embedded driver is not installed: npm install @sparticuz/chromium; or use --device wasm\n",
  });
  const open = 'g.openGpu({ adapter: "system" })';
  const program = `import("webgpu-gpt2").then((g) => ${open}).catch((e) => console.log(e.name, e.message))`;
  vi.stubEnv("VK_ICD_FILENAMES", "/nonexistent.json");
  vi.stubEnv("VK_DRIVER_FILES", "/nonexistent.json");
  const said = await run("-e", program);
  vi.unstubAllEnvs();
  expect(said).toMatch(
    /^UserError no WebGPU adapter .*npm install @sparticuz\/chromium; install .* \(openWasm in a program\)\n$/,
  );
});

test("without WebGPU, which npm may leave out, it computes in WebAssembly, and says how to get it", async () => {
  rmSync(join(folder, "node_modules/webgpu"));
  const generate = (device: string) => run(GPT2, ..."generate --model tiny --json --device".split(" "), device);
  expect(await generate("auto")).toBe(await generate("wasm"));
  const remedy = "WebGPU is not installed: npm install webgpu; --device wasm works without it";
  await expect(generate("system")).rejects.toMatchObject({ code: 5, stderr: `gpt2: ${remedy}\n` });
  expect(await run(GPT2, "devices")).toContain(remedy);
  addPackage(folder, "webgpu");
});

test("an op of one's own that takes over the kernels of ours is checked by the installed command", async () => {
  // The command finds kernels by what the library has: two copies of it would know nothing of each other's.
  writeFileSync(
    join(folder, "mine.js"),
    `import { OPS } from "webgpu-gpt2";\nexport const mine = { ...OPS.find((op) => op.name === "scale"), name: "mine" };\n`,
  );
  addPackage(folder, "@sparticuz/chromium");
  for (const own of ["mine.js", "relu-squared.js"])
    expect(await run(GPT2, "gradcheck", own, "--device", "embedded")).toMatch(/ passed$/m);
});
