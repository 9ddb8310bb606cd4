/**
 * How much memory and time a checkpoint of a large model takes: `npx tsx scripts/measure-checkpoint.ts [name] [folder]`. Saves it out
 * of nothing instead of a GPU, checks it and restores it into nothing, and says the most memory that was resident. Fails
 * where that is more than 250 MB beyond what Node and tsx take by themselves.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_TRAITS } from "../src/kernels/traits.ts";
import { GPT2_PRESETS, type Gpt2PresetName, parameterCount } from "../src/model/config.ts";
import { layoutParameters } from "../src/model/parameters.ts";
import { nodeFolder } from "../src/platform/node/storage.ts";
import { openNewestGood, saveCheckpoint } from "../src/run/checkpoints.ts";
import { createCpuRuntime } from "../src/runtime/cpu.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { modelFiles, optimizerFile } from "../src/train/checkpoint.ts";

const [name = "gpt2", parent = tmpdir()] = process.argv.slice(2);
const config = GPT2_PRESETS[name as Gpt2PresetName];
const layout = layoutParameters(config);
const megabytes = (bytes: number): number => Math.round(bytes / 1e6);
const peak = (): number => process.resourceUsage().maxRSS * 1024;

let written = 0;
/** Gives a number that a position decides, and forgets what is written. */
const nothing: Runtime = {
  ...createCpuRuntime(),
  name: "nothing",
  traits: DEFAULT_TRAITS,
  compile: async () => ({
    stats: { stateBytes: 0, transientBytes: 0, dispatches: 0, pipelines: 0 },
    run: async () => ({}),
    dispose() {},
  }),
  writeState: (_state, data) => {
    written += data.length;
  },
  readState: async (_state, offset = 0, length = 0) => new Float32Array(length).fill(offset % 1000),
};

const folder = mkdtempSync(join(parent, "measure-checkpoint-"));
const notice = (line: string): void => {
  throw new Error(line);
};
try {
  const before = peak();
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  const files = [...modelFiles(nothing, layout, { config }), optimizerFile(nothing, layout, 1)];
  const path = await saveCheckpoint(nodeFolder(folder), 1, files, { notice });
  const saved = { seconds: seconds(), peak: peak() };
  const bytes = readdirSync(path).reduce((sum, file) => sum + statSync(join(path, file)).size, 0);
  const checkpoint = await openNewestGood(nodeFolder(folder), notice);
  const checked = seconds();
  await checkpoint!.restore(nothing, layout);
  const restored = { seconds: seconds(), peak: peak() };
  if (written !== 3 * parameterCount(config)) throw new Error(`${written} elements came back`);
  console.log(
    `${name}: ${parameterCount(config).toLocaleString("en-US")} parameters, a checkpoint of ${megabytes(bytes)} MB`,
  );
  console.log(`resident before    ${megabytes(before)} MB, Node ${process.version} and tsx`);
  console.log(
    `most while saving  ${megabytes(saved.peak)} MB, ${saved.seconds.toFixed(1)} s, reading back and hashing included`,
  );
  console.log(
    `most while resuming ${megabytes(restored.peak)} MB, ${(checked - saved.seconds).toFixed(1)} s to check it, ${(restored.seconds - checked).toFixed(1)} s to restore it`,
  );
  if (restored.peak > before + 250e6) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
