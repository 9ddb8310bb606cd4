import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTape } from "../../src/autograd/tape.ts";
import { NotFiniteError } from "../../src/core/errors.ts";
import { fillNormal } from "../../src/core/philox.ts";
import { readModelDirectory } from "../../src/io/huggingface.ts";
import { parseManifest } from "../../src/io/manifest.ts";
import { f32 } from "../../src/kernels/op.ts";
import { ARENA } from "../../src/model/arena.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { layoutParameters } from "../../src/model/parameters.ts";
import { acquireLock } from "../../src/platform/node/lock.ts";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import {
  findCheckpoints,
  openCheckpoint,
  openNewestGood,
  saveCheckpoint,
  setAsideLater,
} from "../../src/run/checkpoints.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { jsonFile, modelFiles, optimizerFile, restoreTensors } from "../../src/train/checkpoint.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";

const SAVED_STATES = [ARENA.parameters, ARENA.m, ARENA.v];
const sizes = { vocabSize: 11, contextLength: 8, width: 8, layers: 2, heads: 2 };
const config = gpt2Config(sizes);
const layout = layoutParameters(config);
let run = "";
let lines: string[] = [];
const notice = (line: string) => void lines.push(line);

beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), "checkpoints-"));
  lines = [];
});
afterEach(() => rmSync(run, { recursive: true }));

/** A runtime whose states hold normal numbers where parameters are, and zeros between them. */
async function filled(runtime: Runtime, seed: number, of = layout): Promise<Runtime> {
  const tape = createTape();
  for (const state of SAVED_STATES) tape.state(state, f32([of.size]));
  (await runtime.compile(tape)).dispose();
  SAVED_STATES.forEach((state, stream) => {
    for (const [item, { shape, offset }] of of.entries.entries()) {
      const part = new Float32Array(shape.reduce((a, b) => a * b));
      fillNormal(part, 1, seed, stream, item);
      runtime.writeState(state, part, offset);
    }
  });
  return runtime;
}

const filesOf = (runtime: Runtime, step: number) => [
  ...modelFiles(runtime, layout, { config }),
  optimizerFile(runtime, layout, step),
  jsonFile("trainer_state.json", { global_step: step }),
];

const save = async (step: number, options: { limit?: number; best?: number } = {}, runtime?: Runtime) =>
  saveCheckpoint(nodeFolder(run), step, filesOf(runtime ?? (await filled(createCpuRuntime(), step)), step), {
    notice,
    ...options,
  });

async function bitsOf(runtime: Runtime): Promise<Uint32Array[]> {
  return Promise.all(SAVED_STATES.map(async (name) => new Uint32Array((await runtime.readState(name)).buffer)));
}

const steps = async () => (await findCheckpoints(nodeFolder(run))).map(({ step }) => step);

test.each(["CPU", ...testAdapters] as const)("%s: weights and moments come back to the last bit", async (name) => {
  const open = async () => (name === "CPU" ? createCpuRuntime() : createGpuRuntime(await openTestGpu(name)));
  const runtime = await filled(await open(), 1);
  await save(7, {}, runtime);
  const checkpoint = await openNewestGood(nodeFolder(run), notice);
  expect(checkpoint).toMatchObject({ step: 7, folder: { path: join(run, "checkpoint-7") } });
  expect(await checkpoint!.json("trainer_state.json")).toEqual({ global_step: 7 });
  expect(await checkpoint!.json("gone.json")).toBeUndefined();
  const other = await open();
  await checkpoint!.restore(other, layout);
  expect(await bitsOf(other)).toEqual(await bitsOf(runtime));
  expect(lines).toEqual([]);
});

test("a checkpoint is a model that Hugging Face loads, and lists its files with size and hash", async () => {
  const path = await save(3);
  const files = new Map(readdirSync(path).map((name) => [name, new Uint8Array(readFileSync(join(path, name)))]));
  expect(readModelDirectory(files).parameters.get("wpe.weight")).toHaveLength(64);
  const manifest = parseManifest(readFileSync(join(path, "checkpoint.json"), "utf8"));
  expect(manifest.step).toBe(3);
  expect([...Object.keys(manifest.files), "checkpoint.json"].sort()).toEqual(readdirSync(path).sort());
});

test("a model without biases: the file's zeros are passed over", async () => {
  const bare = gpt2Config({ ...sizes, bias: false });
  const its = layoutParameters(bare);
  const runtime = await filled(createCpuRuntime(), 1, its);
  const files = [...modelFiles(runtime, its, { config: bare }), optimizerFile(runtime, its, 1)];
  await saveCheckpoint(nodeFolder(run), 1, files, { notice });
  const other = createCpuRuntime();
  await (await openNewestGood(nodeFolder(run), notice))!.restore(other, its);
  expect(await bitsOf(other)).toEqual(await bitsOf(runtime));
});

test("tensors keep the bits of every NaN", async () => {
  const bits = Uint32Array.of(0x7fc00001, 0xffc12345, 0x7f800001, 0x80000000);
  const header = JSON.stringify({ x: { dtype: "F32", shape: [4], data_offsets: [0, 16] } });
  const file = Buffer.concat([Buffer.alloc(8), Buffer.from(header), Buffer.from(bits.buffer)]);
  file.writeBigUInt64LE(BigInt(header.length));
  const source = {
    size: file.length,
    read: async (at: number, into: Uint8Array) => void into.set(file.subarray(at, at + into.length)),
  };
  const runtime = createCpuRuntime();
  const states = [{ name: "s", offset: 0, size: 64 }];
  const small = { entries: [{ name: "x", shape: [4], offset: 0 }], states };
  await restoreTensors(runtime, small, new Map([["f", source]]), { file: "f", storedName: (name) => name });
  expect(new Uint32Array((await runtime.readState("s", 0, 4)).buffer)).toEqual(bits);
});

describe("a damaged checkpoint is named in one line, and the one before it is used", () => {
  test.each([
    ["a flipped bit", "model.safetensors", /model\.safetensors: is damaged, its SHA-256/],
    ["a cut file", "optimizer.safetensors", /optimizer\.safetensors: has \d+ bytes, was saved with \d+/],
    ["a missing file", "config.json", /config\.json: does not exist/],
    ["no manifest", "checkpoint.json", /checkpoint\.json: does not exist/],
    ["half a manifest", "checkpoint.json", /checkpoint-2: checkpoint\.json: not valid JSON/],
  ])("%s", async (damage, name, message) => {
    await save(1);
    const file = join(await save(2), name);
    const bytes = readFileSync(file);
    if (damage.startsWith("a flipped")) {
      bytes[bytes.length - 5]! ^= 4;
      writeFileSync(file, bytes);
    } else if (damage.includes("cut") || damage.startsWith("half")) truncateSync(file, bytes.length >> 1);
    else rmSync(file);
    expect((await openNewestGood(nodeFolder(run), notice))!.step).toBe(1);
    expect(lines).toEqual([expect.stringMatching(message)]);

    await setAsideLater(nodeFolder(run), 1, notice);
    expect(await steps()).toEqual([1]);
    expect(readdirSync(run)).toContain("checkpoint-2.aside");
    await save(2);
    expect((await openNewestGood(nodeFolder(run), notice))!.step).toBe(2);
  });

  test("where it is in the way of a new one, it is set aside", async () => {
    truncateSync(join(await save(2), "config.json"), 3);
    await save(2);
    expect(lines).toEqual([expect.stringMatching(/config\.json: has 3 bytes.*checkpoint-2\.aside and may be deleted/)]);
    await expect(openCheckpoint(nodeFolder(join(run, "checkpoint-2")), 2)).resolves.toMatchObject({ step: 2 });
  });

  test("none at all is undefined", async () => {
    expect(await openNewestGood(nodeFolder(run), notice)).toBeUndefined();
  });
});

test.each([
  ["weights", ARENA.parameters, /h\.1\.mlp\.c_fc\.weight holds NaN/, Number.NaN],
  ["first moments", ARENA.m, /m\.h\.1\.mlp\.c_fc\.weight holds Infinity/, Number.POSITIVE_INFINITY],
  ["second moments", ARENA.v, /v\.h\.1\.mlp\.c_fc\.weight holds -Infinity/, Number.NEGATIVE_INFINITY],
])("%s that are not finite are not saved, and what was saved before stays", async (_, state, message, value) => {
  await save(1);
  const runtime = await filled(createCpuRuntime(), 2);
  runtime.writeState(state, [value], layout.entries.find(({ name }) => name === "h.1.mlp.c_fc.weight")!.offset + 9);
  const saving = save(2, {}, runtime);
  await expect(saving).rejects.toThrow(message);
  await expect(saving).rejects.toThrow(NotFiniteError);
  expect(readdirSync(run)).toEqual(["checkpoint-1"]);
});

describe("--save-total-limit", () => {
  test("keeps the newest, and the best whatever its age", async () => {
    for (const step of [1, 2, 3, 10]) await save(step, { limit: 2 });
    expect(await steps()).toEqual([10, 3]);
    await save(11, { limit: 2, best: 3 });
    await save(12, { limit: 2, best: 3 });
    expect(await steps()).toEqual([12, 3]);
    await save(13, { limit: 1, best: 3 });
    expect(await steps()).toEqual([13, 3]);
    await save(14, { limit: 1, best: 14 });
    expect(await steps()).toEqual([14]);
    expect(lines).toEqual([]);
  });

  test("a step that is saved twice stays as it is", async () => {
    const model = join(await save(1), "model.safetensors");
    const before = readFileSync(model);
    await save(1, { limit: 1 }, await filled(createCpuRuntime(), 9));
    expect(readFileSync(model).equals(before)).toBe(true);
    expect(await steps()).toEqual([1]);
  });
});

test("what killed saves left behind is removed at the next save and when a run goes on", async () => {
  const leave = (name: string) => {
    mkdirSync(join(run, name));
    writeFileSync(join(run, name, "model.safetensors"), "half");
  };
  leave("checkpoint-5.partial-77-0a1b2c3d");
  leave("checkpoint-1.trash-77-0a1b2c3d");
  await save(2);
  expect(readdirSync(run)).toEqual(["checkpoint-2"]);
  leave("checkpoint-5.partial-77-0a1b2c3d");
  await openNewestGood(nodeFolder(run), notice);
  expect(readdirSync(run)).toEqual(["checkpoint-2"]);
  expect(lines).toEqual([expect.stringContaining("checkpoint-5.partial-77-0a1b2c3d")]);
});

describe("a run's lock", () => {
  const lock = () => acquireLock(join(run, "run.lock"), notice);

  test("keeps a second process out until it is released", async () => {
    const first = await lock();
    await expect(lock()).rejects.toThrow(`process ${process.pid} is at work there`);
    await first.release();
    expect(existsSync(join(run, "run.lock"))).toBe(false);
    await (await lock()).release();
    expect(lines).toEqual([]);
  });

  test("of a process that was killed is taken over, with a line", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    const text = readAsHeldBy(await lock(), child.pid!);
    await expect(lock()).rejects.toThrow(`process ${child.pid} is at work there`);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    writeFileSync(join(run, "run.lock"), text);
    await lock();
    expect(lines).toEqual([`took over the lock of process ${child.pid}, which is gone`]);
  });

  test("of a process number that another process has by now is taken over", async () => {
    const { pid } = process;
    await lock();
    const held = JSON.parse(readFileSync(join(run, "run.lock"), "utf8"));
    writeFileSync(join(run, "run.lock"), JSON.stringify({ ...held, started: "1" }));
    await lock();
    expect(lines).toEqual([`took over the lock of process ${pid}, which is gone`]);
  });

  test("of another machine holds for five minutes after its last sign of life", async () => {
    await lock();
    const file = join(run, "run.lock");
    const held = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(file, JSON.stringify({ ...held, machine: "elsewhere" }));
    await expect(lock()).rejects.toThrow(/process \d+ of another machine, seen \d+ s ago is at work there/);
    const past = Date.now() / 1000 - 301;
    utimesSync(file, past, past);
    await (await lock()).release();
    expect(lines).toHaveLength(1);
  });

  test("that was cut off while it was made is taken over", async () => {
    writeFileSync(join(run, "run.lock"), "");
    await lock();
    expect(lines).toEqual(["took over the lock of process ?, which is gone"]);
  });

  test.each([
    ["one that was cut off while it was made", () => ""],
    ["that of a process that is gone", (held: string) => JSON.stringify({ ...JSON.parse(held), started: "1" })],
  ])("%s: of many that try at once one gets it, every time", async (_, dead) => {
    const file = join(run, "run.lock");
    await lock();
    const text = dead(readFileSync(file, "utf8"));
    for (let time = 0; time < 20; time++) {
      writeFileSync(file, text);
      const past = Date.now() / 1000 - 10;
      utimesSync(file, past, past);
      const results = await Promise.allSettled(Array.from({ length: 20 }, lock));
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      expect(readdirSync(run)).toEqual(["run.lock"]);
    }
  });

  /** The lock's file as process `pid` would have written it, which it then says. */
  function readAsHeldBy(_: unknown, pid: number): string {
    const file = join(run, "run.lock");
    const held = JSON.parse(readFileSync(file, "utf8"));
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const text = JSON.stringify({ ...held, pid, started: stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] });
    writeFileSync(file, text);
    return text;
  }
});
