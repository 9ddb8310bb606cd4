import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type FirstStep, firstStep, firstStepRows } from "../bench/first-step.ts";
import { messageOf } from "../bench/peers.ts";
import { OURS, type Row } from "../bench/row.ts";
import { type StepSizeName, stepSize } from "../bench/step-sizes.ts";
import type { Gpu } from "../gpu/device.ts";
import { openGpu } from "../platform/node.ts";
import { openPeers, releasePeers } from "./bench-peers.ts";
import { terminal } from "./terminal.ts";

const run = promisify(execFile);

/** The one peer that has a training step. */
const PEER = "jax-js";
export const FIRST_STEP_SYSTEMS: readonly string[] = [OURS, PEER];

export interface FirstStepFlags {
  readonly device?: string;
  readonly system?: string;
  readonly size?: StepSizeName;
}

/** Takes one first step and prints it as JSON, for `firstSteps` to read. */
export async function printFirstStep({ device, system = OURS, size = "nanogpt" }: FirstStepFlags): Promise<void> {
  const gpu = await openGpu({ adapter: device });
  try {
    const [peer] = system === OURS ? [] : await openPeers(gpu, [system]);
    terminal.json(await firstStep(gpu, stepSize(size, gpu.kind), peer));
  } finally {
    releasePeers(gpu);
    gpu.close();
  }
}

/** First steps of ours and of the peer in turn, each in a process of its own and without Mesa's cache. */
export async function firstSteps(gpu: Gpu, device: string | undefined, rounds: number): Promise<Row[]> {
  const steps: FirstStep[] = [];
  const failures: Row[] = [];
  const size = stepSize("nanogpt", gpu.kind);
  for (const system of Array.from({ length: rounds }, () => FIRST_STEP_SYSTEMS).flat()) {
    if (failures.some((row) => row.system === system)) continue;
    try {
      steps.push(await inProcess(system, device));
    } catch (reason) {
      failures.push({ work: `first step ${size.name}`, system, device: gpu.driver, failed: messageOf(reason) });
    }
  }
  return [...firstStepRows(steps, size, gpu.driver), ...failures];
}

async function inProcess(system: string, device: string | undefined): Promise<FirstStep> {
  const args = ["bench", "first-step", "--system", system, ...(device === undefined ? [] : ["--device", device])];
  const command = [...process.execArgv, process.argv[1]!, ...args];
  const env = { ...process.env, MESA_SHADER_CACHE_DISABLE: "true" };
  try {
    const { stdout } = await run(process.execPath, command, { env });
    return JSON.parse(stdout.split("\n").find((line) => line.startsWith("{")) ?? "");
  } catch (reason) {
    const { stderr = "" } = reason as { stderr?: string };
    throw new Error(stderr.trim().split("\n").at(-1) || messageOf(reason));
  }
}
