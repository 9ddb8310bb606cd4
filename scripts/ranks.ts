/**
 * Any number of ranks has the bits of one process: `npm run build && npx tsx scripts/ranks.ts [result.json [device[:ranks] ...]]`. Each case of test/support/ranks.ts
 * trains 20 steps on each device of this machine: in one process; on 2, 3 and 4 ranks that share memory; and on as many processes under each
 * MPI that is there. Weights, moments, losses, norms and the evaluation must be equal, bit for bit, on every rank. What was found is written as soon
 * as it is, beside what the file has of other devices and numbers of ranks: `llvmpipe embedded:4` does what those words say and no more.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { launchedAs } from "../src/platform/node/launched.ts";
import { nodeThreads, openGpu } from "../src/platform/node.ts";
import { createCpuRuntime } from "../src/runtime/cpu.ts";
import { createGpuRuntime } from "../src/runtime/gpu.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { createWasmRuntime, openWasm } from "../src/runtime/wasm.ts";
import type { Collective } from "../src/train/collective.ts";
import { startJob, testMpis } from "../test/support/mpi.ts";
import { onRanks, RANK_CASES, trainCase } from "../test/support/ranks.ts";

const DEVICES = ["cpu", "wasm", "embedded", "llvmpipe"] as const;
type Device = (typeof DEVICES)[number];
const SIZES = [2, 3, 4];

async function onDevice<T>(device: Device, use: (runtime: Runtime) => Promise<T>): Promise<T> {
  if (device === "cpu") return use(createCpuRuntime());
  if (device === "wasm") {
    const wasm = await openWasm(nodeThreads(1));
    try {
      return await use(createWasmRuntime(wasm));
    } finally {
      wasm.close();
    }
  }
  const gpu = await openGpu({ adapter: device });
  const runtime = createGpuRuntime(gpu);
  try {
    return await use(runtime);
  } finally {
    runtime.close();
    gpu.close();
  }
}

/** Of everything that must be the same. */
async function digest(device: Device, name: string, collective?: Collective): Promise<string> {
  const { states, ...numbers } = await onDevice(device, (runtime) => trainCase(runtime, RANK_CASES[name]!, collective));
  const hash = createHash("sha256").update(JSON.stringify(numbers));
  for (const state of states) hash.update(new Uint8Array(state.buffer));
  return hash.digest("hex");
}

/** Which cases a device can have. */
function casesOf(device: Device): string[] {
  const halves = device === "cpu" || device === "llvmpipe";
  return Object.keys(RANK_CASES).filter((name) => halves || RANK_CASES[name]!.options?.precision !== "f16");
}

const [first, ...words] = process.argv.slice(2);
if (first === "rank") {
  // One of the processes that the script itself has started.
  const [device, ...names] = words;
  // As it is built: threads of Node 20 do not compile TypeScript, and one watches while MPI begins.
  const built = new URL("../dist/platform/node/mpi.js", import.meta.url).href;
  const { openMpi }: typeof import("../src/platform/node/mpi.ts") = await import(built);
  const collective = openMpi(launchedAs()!, { timeout: 120_000 });
  for (const name of names) {
    const own = await digest(device as Device, name, collective);
    console.log(`${JSON.stringify([name, own])}`);
  }
  await collective.leave();
} else {
  const works = (words.length > 0 ? words : DEVICES).flatMap((word) => {
    const [name, ranks] = word.split(":");
    const known = DEVICES.find((one) => one === name);
    if (!known) throw new Error(`${word}: wanted ${DEVICES.join(", ")}, and :2, :3 or :4 behind it`);
    return (ranks === undefined ? SIZES : [Number(ranks)]).map((size) => ({ device: known, ranks: size }));
  });
  const digests = new Map<string, string>();
  const wrong: string[] = [];
  for (const work of works) {
    const found = await compareOn(work.device, work.ranks, digests);
    wrong.push(...found.wrong);
    console.log(`${work.device}, ${work.ranks} ranks: ${found.comparisons} comparisons, ${found.wrong.length} wrong`);
    if (first) record(first, { ...work, comparisons: found.comparisons, wrong: found.wrong.length });
  }
  for (const line of wrong) console.error(line);
  process.exitCode = wrong.length > 0 ? 1 : 0;
}

/** All cases on so many ranks, connected in all ways; `digests`: of one process, as far as they are known. */
async function compareOn(
  device: Device,
  ranks: number,
  digests: Map<string, string>,
): Promise<{ comparisons: number; wrong: string[] }> {
  const wrong: string[] = [];
  let comparisons = 0;
  const cases = casesOf(device);
  for (const name of cases) {
    const key = `${device}, ${name}`;
    digests.set(key, digests.get(key) ?? (await digest(device, name)));
  }
  const compare = (who: string, name: string, found: readonly string[]): void => {
    const equal = found.length === ranks && found.every((one) => one === digests.get(`${device}, ${name}`));
    if (!equal) wrong.push(`${device}, ${name}, ${ranks} ranks, ${who}: ${JSON.stringify(found)}`);
    comparisons++;
  };
  for (const name of cases) compare("threads", name, await onRanks(ranks, (one) => digest(device, name, one), 600_000));
  for (const mpi of testMpis) {
    const me = fileURLToPath(import.meta.url);
    const job = startJob(mpi, ranks, me, ["rank", device, ...cases], {}, ["--import", "tsx"]);
    const { code } = await job.ended;
    const said = job.output().split("\n");
    const lines = said.filter((line) => line.startsWith('["')).map((line) => JSON.parse(line) as [string, string]);
    for (const name of cases) {
      const found = lines.filter(([of]) => of === name).map(([, found]) => found);
      compare(mpi.name, name, found);
    }
    if (code !== 0) wrong.push(`${device}, ${ranks} ranks, ${mpi.name}: ended with ${code}\n${job.output()}`);
  }
  return { comparisons, wrong };
}

interface Found {
  readonly device: Device;
  readonly ranks: number;
  readonly comparisons: number;
  readonly wrong: number;
}

/** Puts a row into the file, in place of what it has of the same. */
function record(path: string, row: Found): void {
  const before: readonly Found[] = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).rows : [];
  const place = ({ device, ranks }: Found): number => 10 * DEVICES.indexOf(device) + ranks;
  const rows = [...before.filter((other) => place(other) !== place(row)), row].sort((a, b) => place(a) - place(b));
  const connected = ["threads", ...testMpis.map(({ name }) => name)];
  const report = { command: "npx tsx scripts/ranks.ts bench/results/ranks.json", steps: 20, connected, rows };
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
}
