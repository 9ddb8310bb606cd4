// WebAssembly beside what computes on the same CPU: jax-js and TF.js in WebAssembly, PyTorch. In turns, in one run:
//   npm run build && npm --prefix bench/peers ci && node bench/peers/cpu.mjs [--only product,step,decode] [--samples 7] [--python python3] [--json] [--out FILE]
// `gpt2 bench kernels|step|generate --device wasm --peers` runs it, with $GPT2_PYTHON for python3. Where Python has no torch, and where a library has none of it, that is a row which says so. Peers in WebAssembly have one thread in Node.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createTape } from "../../dist/autograd/tape.js";
import { sampleError } from "../../dist/bench/check.js";
import { spread } from "../../dist/bench/data.js";
import { peerStepGiven } from "../../dist/bench/step-peers.js";
import { compileStep, resetState, stepBatch, stepParameters } from "../../dist/bench/step-program.js";
import { stepSize } from "../../dist/bench/step-sizes.js";
import { peakOp } from "../../dist/bench/wasm.js";
import { createGenerator } from "../../dist/generate/generate.js";
import { matmul } from "../../dist/kernels/matmul.js";
import { f32 } from "../../dist/kernels/op.js";
import { ARENA, writeArena } from "../../dist/model/arena.js";
import { gpt2Config } from "../../dist/model/config.js";
import { declareParameters, layoutParameters } from "../../dist/model/parameters.js";
import { nodeThreads } from "../../dist/platform/node/threads.js";
import { createWasmRuntime, openWasm, wasmName } from "../../dist/runtime/wasm.js";
import { open as openJax } from "./jax-js.mjs";
import { open as openTf } from "./tfjs.mjs";

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "product,step,decode" },
    samples: { type: "string", default: "7" },
    python: { type: "string", default: process.env.GPT2_PYTHON ?? "python3" },
    json: { type: "boolean", default: false },
    out: { type: "string" },
  },
});
const samples = Number(options.samples);
const SAMPLE_MS = 60;
/** PyTorch's threads look for work for a while after they have had some, and would take a core from whoever comes next. */
const PAUSE_MS = 250;
const cores = availableParallelism();

/** Ours on one thread and on all. */
const devices = await Promise.all([...new Set([1, cores])].map((threads) => openWasm(nodeThreads(threads))));
const [one, all] = [devices[0], devices.at(-1)];
const peers = { jax: await opened("jax-js", openJax), tf: await opened("TF.js", openTf), torch: await pytorch() };

async function opened(name, open) {
  try {
    return await open({ backend: "wasm" });
  } catch (reason) {
    return { name, failed: reason.message.split("\n")[0] };
  }
}

/** PyTorch in a process that is asked for one run at a time. */
async function pytorch() {
  // An old choice of OpenBLAS's kernels, where a machine makes one, is not PyTorch's fault.
  const { OPENBLAS_CORETYPE, OPENBLAS_L2_SIZE, ...env } = process.env;
  const script = fileURLToPath(new URL("cpu.py", import.meta.url));
  const child = spawn(options.python, [script, String(cores)], { env, stdio: ["pipe", "pipe", "ignore"] });
  child.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    return done ? { failed: "Python has no torch, or the work failed there" } : JSON.parse(value);
  };
  const first = await answer();
  return {
    name: "PyTorch",
    ...first,
    async ms(given) {
      child.stdin.write(`${JSON.stringify(given)}\n`);
      const { ms, failed } = await answer();
      if (failed !== undefined) throw new Error(failed);
      return ms;
    },
    close: () => child.kill(),
  };
}

const timed = async (run) => {
  const start = performance.now();
  await run();
  return performance.now() - start;
};

/** Multiply-adds in registers: GFLOP/s now. */
async function peakOf(device) {
  const { threads } = device.host;
  const runtime = createWasmRuntime(device);
  const tape = createTape();
  const { y } = peakOp.apply({ x: tape.state("x", f32([1])) }, { pieces: 8 * threads, steps: 20000 });
  tape.output("y", y);
  const program = await runtime.compile(tape);
  const flops = 2 * 4 * 13 * 20000 * 8 * threads;
  for (let i = 0; i < 20; i++) await program.run({});
  return { ms: () => timed(() => program.run({})), flops, close: () => runtime.close() };
}

/** A work's systems, each with `ms()`, which runs it once, or why it does not. */
async function measure(work, contenders, flops) {
  const peaks = await Promise.all([one, all].map(peakOf));
  const able = contenders.filter(({ failed }) => failed === undefined);
  for (const { ms } of able) for (let i = 0; i < 2; i++) await ms();
  const times = new Map([...able, ...peaks].map((each) => [each, []]));
  for (let i = 0; i < samples; i++)
    for (const each of times.keys()) {
      await sleep(PAUSE_MS);
      times.get(each).push(await sampleOf(each));
    }
  const rows = contenders.map((each) => {
    const common = { work, system: each.name, threads: each.threads };
    if (each.failed !== undefined) return { ...common, failed: each.failed };
    const median = medianOf(times.get(each));
    const peak = peaks[each.threads === 1 ? 0 : 1];
    const rate = flops === undefined ? {} : { gflops_per_s: flops / median / 1e6 };
    const ofPeak = (flops ?? 0) / median / (peak.flops / medianOf(times.get(peak)));
    return {
      ...common,
      median_ms: median,
      best_ms: Math.min(...times.get(each)),
      samples,
      ...rate,
      ...(each.ours && flops !== undefined ? { fraction_of_peak: ofPeak } : {}),
    };
  });
  const yardsticks = peaks.map((peak, i) => ({
    work,
    system: "peak: multiply-adds in registers",
    threads: [one, all][i].host.threads,
    gflops_per_s: peak.flops / medianOf(times.get(peak)) / 1e6,
    best_gflops_per_s: peak.flops / Math.min(...times.get(peak)) / 1e6,
  }));
  for (const each of [...able, ...peaks]) await each.close?.();
  return [...yardsticks, ...rows];
}

/** Of runs one after another for a while: a lone short one is mostly waking up. */
async function sampleOf({ ms }) {
  const runs = [];
  for (const start = performance.now(); runs.length === 0 || performance.now() < start + SAMPLE_MS; )
    runs.push(await ms());
  return medianOf(runs);
}

function medianOf(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

const ours = (device) => ({
  name: `webgpu-gpt2, ${wasmName(device.host.threads)}`,
  threads: device.host.threads,
  ours: true,
});
const theirs = ({ name, version, failed }, threads) => ({
  name: version ? `${name} ${version}, WebAssembly` : name,
  threads,
  failed,
});

async function* products() {
  for (const size of [512, 1024]) {
    const [a, b] = [spread([size, size], 1).fill(), spread([size, size], 2).fill()];
    const contenders = [];
    for (const device of devices) {
      const runtime = createWasmRuntime(device);
      const tape = createTape();
      const shape = f32([size, size]);
      const [x, y] = [tape.state("a", shape), tape.state("b", shape)];
      const c = matmul(x, y);
      tape.output("all", c);
      const program = await runtime.compile(tape);
      runtime.writeState("a", a);
      runtime.writeState("b", b);
      sampleError(size, a, b, (await program.run({})).all);
      const part = createTape();
      part.output("y", part.view(matmul(part.state("a", shape), part.state("b", shape)), 0, [1]));
      const timedProgram = await runtime.compile(part);
      contenders.push({ ...ours(device), ms: () => timed(() => timedProgram.run({})), close: () => runtime.close() });
    }
    for (const peer of [peers.jax, peers.tf]) {
      if (peer.failed !== undefined) {
        contenders.push(theirs(peer, 1));
        continue;
      }
      const made = await peer.matmul({ size, a, b });
      sampleError(size, a, b, await made.result());
      contenders.push({ ...theirs(peer, 1), ms: () => timed(() => made.runs(1)), close: () => made.dispose() });
    }
    contenders.push({ ...theirs(peers.torch, cores), ms: () => peers.torch.ms({ kind: "product", size }) });
    yield* await measure(`product ${size} x ${size} x ${size}`, contenders, 2 * size ** 3);
  }
}

/** What `npm start` trains, on a batch of its longest records. */
const EMAILS = {
  name: "npm start L2 H4 C64 V41 B32 T28",
  config: gpt2Config({ vocabSize: 41, contextLength: 64, width: 64, layers: 2, heads: 4 }),
  shape: { batch: 32, context: 28 },
};

function sizesOf({ config, shape }) {
  const { layers, heads, width, contextLength: context, vocabSize: vocabulary, bias, activation } = config;
  return {
    ...{ layers, heads, width, context, vocabulary, bias, tanh: activation === "gelu_new" },
    ...{ batch: shape.batch, places: shape.context },
  };
}

async function* steps() {
  const nanogpt = stepSize("nanogpt", "software");
  for (const size of [nanogpt, EMAILS, stepSize("gpt2-records", "software")]) {
    const batch = stepBatch(size, size.shape, size.shape.context, false);
    const { layout, arena } = stepParameters(size);
    const contenders = [];
    let first;
    for (const device of layout.size > 1e8 ? [all] : devices) {
      const runtime = createWasmRuntime(device);
      const { program, inputs } = await compileStep(runtime, size);
      resetState(runtime, size, arena);
      let count = 0;
      const run = async () => (await program.run(inputs(batch, ++count))).loss[0];
      first = await run();
      contenders.push({ ...ours(device), ms: () => timed(run), close: () => runtime.close() });
    }
    if (size === nanogpt) {
      const peer = theirs(peers.jax, 1);
      if (peer.failed !== undefined) contenders.push(peer);
      else {
        const made = await peers.jax.step(peerStepGiven(size, layout, arena, batch));
        let count = 0;
        const { loss } = await made.run(++count);
        if (!(Math.abs(loss / first - 1) < 1e-3)) throw new Error(`jax-js's first loss is ${loss}, ours ${first}`);
        contenders.push({ ...peer, ms: () => timed(() => made.run(++count)), close: () => made.dispose() });
      }
    }
    const given = { kind: "step", ...sizesOf(size) };
    contenders.push({ ...theirs(peers.torch, cores), ms: () => peers.torch.ms(given) });
    contenders.push(await transformersOf("Trainer", { ...given, kind: "trainer" }));
    yield* await measure(`step ${size.name}`, contenders);
  }
}

/** What of transformers does this, if it is there: `part` is its name for it. */
async function transformersOf(part, given) {
  const { name, failed } = peers.torch;
  const known = { name: `${name}: ${part}`, threads: cores };
  if (failed !== undefined) return { ...known, failed };
  try {
    await peers.torch.ms(given);
    return { ...known, ms: () => peers.torch.ms(given) };
  } catch (reason) {
    return { ...known, failed: reason.message };
  }
}

const TOKENS = 16;
const PROMPT = 8;

async function* decoding() {
  const size = stepSize("gpt2", "software");
  const { config } = size;
  const layout = layoutParameters(config);
  const runtime = createWasmRuntime(all);
  const tape = createTape();
  declareParameters(tape, layout);
  (await runtime.compile(tape)).dispose();
  writeArena(runtime, layout, ARENA.parameters, stepParameters(size).arena);
  const generator = createGenerator(runtime, config, layout);
  const prompt = Array.from({ length: PROMPT }, (_, i) => (i * 7 + 3) % config.vocabSize);
  for (const rows of [1, 8]) {
    const generate = (maxNewTokens) =>
      generator.generate(Array(rows).fill(prompt), { maxNewTokens, doSample: false, eosTokenId: null });
    const ms = async () => {
      const first = await timed(() => generate(1));
      return ((await timed(() => generate(TOKENS + 1))) - first) / TOKENS;
    };
    const given = { kind: "decode", ...sizesOf({ config, shape: { batch: rows, context: PROMPT } }), tokens: TOKENS };
    const contenders = [
      { ...ours(all), ms },
      { ...theirs(peers.torch, cores), ms: () => peers.torch.ms(given) },
      await transformersOf("generate", { ...given, kind: "generate" }),
    ];
    yield* await measure(`decode gpt2 124M, ${rows} sequences, a token`, contenders);
  }
  runtime.close();
}

const rows = [];
for (const [name, works] of Object.entries({ product: products, step: steps, decode: decoding })) {
  if (!options.only.split(",").includes(name)) continue;
  for await (const row of works()) {
    rows.push(row);
    if (options.out) writeFileSync(options.out, reportOf());
    if (options.json) {
      console.log(JSON.stringify(row));
      continue;
    }
    const { work, system, threads, median_ms, best_ms, gflops_per_s, fraction_of_peak, failed } = row;
    const parts = [
      median_ms && `${median_ms.toFixed(2)} ms (best ${best_ms.toFixed(2)})`,
      gflops_per_s && `${gflops_per_s.toFixed(1)} GFLOP/s`,
      fraction_of_peak && `${(100 * fraction_of_peak).toFixed(0)} % of the peak`,
      failed,
    ];
    console.log(`${work}  ${system}, ${threads} threads:  ${parts.filter(Boolean).join("  ")}`);
  }
}
peers.torch.close();
for (const device of devices) device.close();

function reportOf() {
  const head = {
    date: new Date().toISOString().slice(0, 10),
    command: `node bench/peers/cpu.mjs ${process.argv
      .slice(2)
      .filter((word) => !word.includes("/"))
      .join(" ")}`.trim(),
    host: `${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${cores} cores, node ${process.version}`,
  };
  const digits = (_key, value) => (typeof value === "number" ? Number(value.toPrecision(5)) : value);
  const lines = rows.map((row) => `    ${JSON.stringify(row, digits)}`);
  return `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "rows": [\n${lines.join(",\n")}\n  ]\n}\n`;
}
