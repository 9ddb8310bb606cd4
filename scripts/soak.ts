/**
 * Does a long training run leak? Trains a tiny model for many steps and counts what it holds:
 * `npx tsx --expose-gc --max-semi-space-size=1 scripts/soak.ts [--warm-up 2000] [--steps 10000] [--adapter embedded] [--out file.json]`.
 * Fails if the GPU's buffers or their bytes change after the second step, if a bind group, pipeline or shader module is made
 * after it, or if resident anonymous memory, sampled after a garbage collection, grows by 1 MB or more in 10,000 steps (slope
 * of a least-squares line over the samples behind the warm-up, in which Node compiles and the allocators settle). Anonymous: pages
 * of libraries come and go as the system pleases.
 * MALLOC_ARENA_MAX=1 keeps glibc from giving each of a driver's threads a heap of its own, whenever two of them meet;
 * --max-semi-space-size=1 keeps V8 from giving its young objects more pages now and then, up to 48 MB, whatever survives. The
 * report has both: V8's pages (committed), and what lives on them (heap).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { getHeapStatistics } from "node:v8";
import { sequencesOf } from "../src/data/sequence.ts";
import type { Gpu } from "../src/gpu/device.ts";
import { ARENA, writeArena } from "../src/model/arena.ts";
import { gpt2Config } from "../src/model/config.ts";
import { initialParameters, layoutParameters } from "../src/model/parameters.ts";
import { openGpu } from "../src/platform/node.ts";
import { createGpuRuntime } from "../src/runtime/gpu.ts";
import { recordRows } from "../src/train/rows.ts";
import { createTrainer } from "../src/train/trainer.ts";

const MOST_GROWTH_MB = 1;
const SAMPLES = 200; // behind the warm-up
const MB = 1e6;

const { values: flags } = parseArgs({
  options: {
    "warm-up": { type: "string", default: "2000" },
    steps: { type: "string", default: "10000" },
    adapter: { type: "string", default: "embedded" },
    out: { type: "string" },
  },
});

/** GPU objects of one device: buffers are those alive, the others all that were ever made (WebGPU frees them unasked). */
interface Held {
  buffers: number;
  bytes: number;
  bindGroups: number;
  pipelines: number;
  modules: number;
}

/** Counts what is made on the device from now on. */
function count({ device }: Gpu): Held {
  const held: Held = { buffers: 0, bytes: 0, bindGroups: 0, pipelines: 0, modules: 0 };
  const createBuffer = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor);
    const { size } = buffer;
    held.buffers++;
    held.bytes += size;
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      held.buffers--;
      held.bytes -= size;
      return destroy();
    };
    return buffer;
  };
  const createBindGroup = device.createBindGroup.bind(device);
  device.createBindGroup = (descriptor) => {
    held.bindGroups++;
    return createBindGroup(descriptor);
  };
  const createPipeline = device.createComputePipelineAsync.bind(device);
  device.createComputePipelineAsync = (descriptor) => {
    held.pipelines++;
    return createPipeline(descriptor);
  };
  const createModule = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) => {
    held.modules++;
    return createModule(descriptor);
  };
  return held;
}

interface Sample {
  readonly step: number;
  readonly rss: number;
  /** RssAnon of Linux; elsewhere all of the resident memory. */
  readonly anonymous: number;
  readonly heap: number;
  /** V8's pages that the system has given it. */
  readonly committed: number;
  readonly external: number;
}

function anonymousBytes(): number {
  try {
    return 1024 * Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))![1]);
  } catch {
    return process.memoryUsage.rss();
  }
}

/** Least-squares slope of `value` over steps, in units per 10,000 steps. */
function slope(samples: readonly Sample[], value: (sample: Sample) => number): number {
  const mean = (of: (sample: Sample) => number): number => samples.reduce((sum, s) => sum + of(s), 0) / samples.length;
  const [x, y] = [mean(({ step }) => step), mean(value)];
  const covariance = samples.reduce((sum, s) => sum + (s.step - x) * (value(s) - y), 0);
  return (1e4 * covariance) / samples.reduce((sum, s) => sum + (s.step - x) ** 2, 0);
}

async function soak(warmUp: number, steps: number, adapter: string): Promise<void> {
  if (!global.gc) throw new Error("soak: run with --expose-gc: npx tsx --expose-gc scripts/soak.ts");
  const began = new Date();
  const gpu = await openGpu({ adapter });
  const held = count(gpu);
  const config = gpt2Config({ vocabSize: 16, contextLength: 16, width: 16, layers: 1, heads: 2 });
  const layout = layoutParameters(config);
  const runtime = createGpuRuntime(gpu);
  const records = Array.from({ length: 8 }, (_, i) => ({
    ids: Array.from({ length: 16 }, (_, t) => (i * 5 + t * t) % 16),
  }));
  const rows = recordRows(sequencesOf(records), { rowsPerStep: 2, seed: 1 });
  const trainer = createTrainer(runtime, config, layout, rows, {
    ...{ beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 },
    ...{ learningRate: 1e-3, warmupSteps: 10, maxSteps: warmUp + steps, batchSize: 2, seed: 1 },
  });
  await trainer.prepare();
  writeArena(runtime, layout, ARENA.parameters, initialParameters(config, layout, 1));

  const every = Math.max(1, Math.floor(steps / SAMPLES));
  const samples: Sample[] = [];
  let early: Held | undefined;
  let [first, last] = [0, 0];
  for await (const { step, loss, applied } of trainer.run()) {
    if (!applied) throw new Error(`soak: step ${step} was not applied`);
    if (step === 1) first = loss;
    if (step === 2) early = { ...held };
    last = loss;
    if (early && JSON.stringify(held) !== JSON.stringify(early))
      throw new Error(`soak: at step ${step} ${JSON.stringify(held)}, at step 2 ${JSON.stringify(early)}`);
    if (step % every !== 0) continue;
    // what wraps GPU objects is freed a turn after the collection that finds it
    for (let turn = 0; turn < 3; turn++) {
      global.gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { rss, heapUsed, external } = process.memoryUsage();
    const { total_physical_size: committed } = getHeapStatistics();
    samples.push({ step, rss, anonymous: anonymousBytes(), heap: heapUsed, committed, external });
  }
  if (!(last < first)) throw new Error(`soak: the loss went from ${first} to ${last}`);
  trainer.dispose();
  runtime.close();
  gpu.close();

  const warm = samples.filter(({ step }) => step > warmUp);
  const round = (value: number): number => Number(value.toFixed(3));
  const growth = round(slope(warm, ({ anonymous }) => anonymous) / MB);
  const report = {
    command: `${process.env.MALLOC_ARENA_MAX ? `MALLOC_ARENA_MAX=${process.env.MALLOC_ARENA_MAX} ` : ""}npx tsx ${process.execArgv.filter((flag) => /^--(expose-gc|max-semi)/.test(flag)).join(" ")} scripts/soak.ts --warm-up ${warmUp} --steps ${steps} --adapter ${adapter}`,
    driver: gpu.driver,
    date: began.toISOString().slice(0, 10),
    machine: `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}`,
    seconds: Math.round((Date.now() - began.getTime()) / 1000),
    warmUp,
    steps,
    held: early,
    loss: { first: round(first), last: round(last) },
    growthMBPer10000Steps: {
      anonymous: growth,
      rss: round(slope(warm, ({ rss }) => rss) / MB),
      heap: round(slope(warm, ({ heap }) => heap) / MB),
      committed: round(slope(warm, ({ committed }) => committed) / MB),
      external: round(slope(warm, ({ external }) => external) / MB),
    },
    anonymousMB: { afterWarmUp: round(warm[0]!.anonymous / MB), atEnd: round(warm.at(-1)!.anonymous / MB) },
  };
  console.log(JSON.stringify(report, null, 2));
  if (flags.out) writeFileSync(flags.out, `${JSON.stringify({ ...report, samples }, null, 1)}\n`);
  if (growth >= MOST_GROWTH_MB) throw new Error(`soak: resident memory grows by ${growth} MB in 10,000 steps`);
}

await soak(Number(flags["warm-up"]), Number(flags.steps), flags.adapter);
