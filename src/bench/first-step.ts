import type { Gpu } from "../gpu/device.ts";
import { median } from "./measure.ts";
import { type Peer, systemName, withRatios } from "./peers.ts";
import { OURS, type Row } from "./row.ts";
import { expectSame, ourStep, peerStepGiven, type StepResult, type StepRunner } from "./step-peers.ts";
import { stepBatch, stepParameters } from "./step-program.ts";
import type { StepSize } from "./step-sizes.ts";

/** A first step, from what a program is written in to the loss: all that is made and compiled once is in it. */
export interface FirstStep extends StepResult {
  readonly system: string;
  readonly ms: number;
}

/**
 * The first step of this process, ours or a peer's. A second one would not do: Dawn keeps a device's pipelines, drivers what they
 * have compiled, and the JavaScript is warm.
 */
export async function firstStep(gpu: Gpu, size: StepSize, peer?: Peer): Promise<FirstStep> {
  const { layout, arena } = stepParameters(size);
  const batch = stepBatch(size, size.shape, size.shape.context, false);
  const start = async (): Promise<StepRunner> => {
    if (!peer) return ourStep(gpu, size, arena, batch);
    if (!peer.step) throw new Error(peer.failed ?? "has no training step here");
    return peer.step(peerStepGiven(size, layout, arena, batch));
  };
  const begun = performance.now();
  const step = await start();
  const { loss, norm } = await step.run(1);
  const ms = performance.now() - begun;
  step.dispose();
  return { system: peer ? systemName(peer) : OURS, ms, loss, norm };
}

/** One row a system, of first steps that were taken in processes of their own; all must have given what ours gave. */
export function firstStepRows(steps: readonly FirstStep[], { name }: StepSize, device: string): Row[] {
  const ours = steps.find(({ system }) => system === OURS);
  const work = `first step ${name}, a process each, nothing compiled`;
  const rows = [...new Set(steps.map(({ system }) => system))].map((system): Row => {
    const own = steps.filter((step) => step.system === system);
    const times = own.map(({ ms }) => ms);
    const common = { work, system, device, median_ms: median(times), best_ms: Math.min(...times), samples: own.length };
    try {
      for (const step of own) expectSame(1, step, ours ?? step);
      return common;
    } catch (error) {
      return { ...common, failed: (error as Error).message };
    }
  });
  return withRatios(rows);
}
