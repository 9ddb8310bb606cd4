/**
 * How much memory it takes to load a large model, and to save it: `npx tsx scripts/measure-load.ts [name] [dtype] [folder]`.
 * Makes a file of the published shapes, zeros all of it but its header (sparse, so that it takes no room), loads it as
 * `gpt2 generate` does but into nothing instead of a GPU, saves it the same way, and says the most memory that was
 * resident. Fails where that is more than the largest tensor + 200 MB.
 */
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openModel } from "../src/cli/model-source.ts";
import { formatConfig } from "../src/io/config-json.ts";
import { storedName } from "../src/io/parameter-names.ts";
import { planSafetensors } from "../src/io/safetensors-write.ts";
import { DEFAULT_TRAITS } from "../src/kernels/traits.ts";
import { GPT2_PRESETS, type Gpt2PresetName, parameterCount, parameterShapes } from "../src/model/config.ts";
import { layoutParameters } from "../src/model/parameters.ts";
import { nodeFolder } from "../src/platform/node/storage.ts";
import { saveModel } from "../src/run/save-model.ts";
import { createForecast } from "../src/runtime/gpu-need.ts";
import type { Runtime } from "../src/runtime/runtime.ts";

const [name = "gpt2-xl", dtype = "F16", parent = tmpdir()] = process.argv.slice(2);
const config = GPT2_PRESETS[name as Gpt2PresetName];
const megabytes = (bytes: number): number => Math.round(bytes / 1e6);
const peak = (): number => process.resourceUsage().maxRSS * 1024;

/** Takes what is written and forgets it; gives zeros. */
function nothing(): Runtime & { written(): number } {
  let written = 0;
  return {
    name: "nothing",
    traits: DEFAULT_TRAITS,
    compile: async () => ({
      stats: { stateBytes: 0, transientBytes: 0, dispatches: 0, pipelines: 0 },
      run: async () => ({}),
      dispose() {},
    }),
    predict: () => ({ stateBytes: 0, transientBytes: 0, bytes: 0 }),
    forecast: () => createForecast(DEFAULT_TRAITS),
    declareState() {},
    isWritten: () => written > 0,
    writeState: (_name, data) => {
      written += data.length;
    },
    clearState() {},
    dropState() {},
    readState: async (_name, _offset, length = 0) => new Float32Array(length),
    close() {},
    written: () => written,
  };
}

const folder = mkdtempSync(join(parent, "measure-load-"));
try {
  const shapes = parameterShapes(config);
  const specs = new Map([...shapes].map(([tensor, shape]) => [storedName(tensor), { dtype: dtype as "F16", shape }]));
  const plan = planSafetensors(specs, { format: "pt" });
  const weights = join(folder, "model.safetensors");
  writeFileSync(weights, plan.header);
  truncateSync(weights, plan.fileSize);
  writeFileSync(join(folder, "config.json"), formatConfig(config));
  const largest = Math.max(...[...shapes.values()].map((shape) => 4 * shape.reduce((a, b) => a * b)));
  const most = largest + 200e6;

  const runtime = nothing();
  const layout = layoutParameters(config);
  const before = peak();
  const began = performance.now();
  const model = await openModel(folder);
  await model.load(runtime, layout);
  const loaded = { seconds: (performance.now() - began) / 1000, peak: peak() };
  if (runtime.written() !== parameterCount(config)) throw new Error(`${runtime.written()} elements came`);
  await saveModel(runtime, layout, model, nodeFolder(folder), "saved");
  const saved = { seconds: (performance.now() - began) / 1000 - loaded.seconds, peak: peak() };
  const savedBytes = statSync(join(folder, "saved", "model.safetensors")).size;
  await model.close();

  console.log(
    `${name}, ${dtype}: ${parameterCount(config).toLocaleString("en-US")} parameters, a file of ${megabytes(plan.fileSize)} MB`,
  );
  console.log(`resident before   ${megabytes(before)} MB, Node ${process.version} and tsx`);
  console.log(`most while loading ${megabytes(loaded.peak)} MB, ${loaded.seconds.toFixed(1)} s`);
  console.log(
    `most while saving  ${megabytes(saved.peak)} MB, ${saved.seconds.toFixed(1)} s for ${megabytes(savedBytes)} MB`,
  );
  console.log(
    `allowed           ${megabytes(most)} MB: the largest tensor as f32, ${megabytes(largest)} MB, and 200 MB`,
  );
  if (saved.peak > most) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
