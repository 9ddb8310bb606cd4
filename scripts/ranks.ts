/**
 * Any number of ranks has the bits of one process: `npx tsx scripts/ranks.ts [result.json]`. Each case of test/support/ranks.ts trains 20 steps on each
 * device of this machine: in one process; on 2, 3 and 4 ranks that share memory; and on as many processes under each MPI that is
 * there. Weights, moments, losses, norms and the evaluation must be equal, bit for bit, on every rank.
 */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { launchedAs, openMpi } from "../src/platform/node/mpi.ts";
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

const [first, device, ...names] = process.argv.slice(2);
if (first === "rank") {
  // One of the processes that the script itself has started.
  const collective = openMpi(launchedAs()!, { timeout: 120_000 });
  for (const name of names) {
    const own = await digest(device as Device, name, collective);
    console.log(`${JSON.stringify([name, own])}`);
  }
  await collective.leave();
} else {
  const rows: object[] = [];
  const wrong: string[] = [];
  for (const device of DEVICES) {
    const cases = casesOf(device);
    const wanted = new Map<string, string>();
    for (const name of cases) wanted.set(name, await digest(device, name));
    const compare = (who: string, name: string, found: readonly string[], ranks: number): void => {
      const equal = found.length === ranks && found.every((one) => one === wanted.get(name));
      if (!equal) wrong.push(`${device}, ${name}, ${ranks} ranks, ${who}: ${JSON.stringify(found)}`);
      rows.push({ device, case: name, ranks, connected: who, equal });
    };
    for (const ranks of SIZES) {
      for (const name of cases)
        compare("threads", name, await onRanks(ranks, (one) => digest(device, name, one), 600_000), ranks);
      for (const mpi of testMpis) {
        const me = fileURLToPath(import.meta.url);
        const job = startJob(mpi, ranks, me, ["rank", device, ...cases], {}, ["--import", "tsx"]);
        const { code } = await job.ended;
        const said = job.output().split("\n");
        const lines = said.filter((line) => line.startsWith("[")).map((line) => JSON.parse(line) as [string, string]);
        for (const name of cases)
          compare(
            mpi.name,
            name,
            lines.filter(([of]) => of === name).map(([, found]) => found),
            ranks,
          );
        if (code !== 0) wrong.push(`${device}, ${ranks} ranks, ${mpi.name}: ended with ${code}\n${job.output()}`);
      }
      console.log(`${device}, ${ranks} ranks: ${rows.length} comparisons so far, ${wrong.length} wrong`);
    }
  }
  const report = { command: "npx tsx scripts/ranks.ts", steps: 20, comparisons: rows.length, wrong, rows };
  if (first) writeFileSync(first, `${JSON.stringify(report, null, 2)}\n`);
  for (const line of wrong) console.error(line);
  process.exitCode = wrong.length > 0 ? 1 : 0;
}
