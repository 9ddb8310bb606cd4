import type { NumericArray } from "../core/dtype.ts";
import type { Gpu } from "../gpu/device.ts";
import { sampleError } from "./check.ts";
import { drained, type Effort, median } from "./measure.ts";
import { costOfWork, prepareOp } from "./op-work.ts";
import { type Peak, ratesOf } from "./rates.ts";
import { OURS, type Row } from "./row.ts";
import { squareWork } from "./works.ts";

/** Another library, as bench/peers/ wraps it, on our device unless its name says otherwise. */
export interface Peer {
  readonly name: string;
  readonly version?: string;
  /** Why it cannot be measured at all. */
  readonly failed?: string;
  matmul?(given: { size: number; a: NumericArray; b: NumericArray }): Promise<PeerMatmul>;
  step?(given: PeerStepGiven): Promise<PeerStep> | PeerStep;
}

export interface PeerMatmul {
  /** Products of one run, 1 if left out. */
  readonly each?: number;
  /** Queues so many runs; settles when all are queued, or done. */
  runs(count: number): Promise<void>;
  result(): Promise<NumericArray>;
  dispose(): void | Promise<void>;
}

/** What a peer's training step is made of: the same weights, tokens and settings as ours. */
export type PeerStepGiven = Readonly<Record<string, unknown>>;

export interface PeerStep {
  run(step: number): Promise<{ readonly loss: number; readonly norm: number }>;
  dispose(): void;
}

interface Contender {
  readonly system: string;
  readonly each: number;
  readonly error: number;
  runs(count: number): Promise<void>;
  dispose(): void | Promise<void>;
}

/** f32 products of square matrices, ours and every peer's in turn, each right before it is timed. */
export async function benchMatmulPeers(
  gpu: Gpu,
  peak: Peak,
  peers: readonly Peer[],
  sizes: readonly number[],
  effort: Effort,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const size of sizes) {
    const work = squareWork(size);
    const common = { work: `${work.work} beside peers`, device: gpu.driver };
    const ours = await prepareOp(gpu, work, 1);
    const us: Contender = {
      system: OURS,
      each: 1,
      error: ours.error,
      runs: async (count) => {
        for (let i = 0; i < count; i++) ours.run();
      },
      dispose: ours.dispose,
    };
    const contenders = ours.failed === undefined ? [us] : [];
    const failures: Row[] = ours.failed === undefined ? [] : [{ ...common, system: OURS, failed: ours.failed }];
    const [a, b] = [work.inputs.a!.fill(), work.inputs.b!.fill()];
    for (const peer of peers) {
      const system = systemName(peer);
      try {
        if (peer.failed !== undefined || !peer.matmul) throw new Error(peer.failed ?? "has no matrix product here");
        const made = await peer.matmul({ size, a, b });
        const error = sampleError(size, a, b, await made.result());
        await made.runs(1);
        await drained(gpu);
        contenders.push({ ...made, system, each: made.each ?? 1, error });
      } catch (reason) {
        failures.push({ ...common, system, failed: messageOf(reason) });
      }
    }
    const cost = costOfWork(work);
    for (const { system, error, times } of await alternate(gpu, contenders, effort)) {
      const ms = median(times);
      const timing = { median_ms: ms, best_ms: Math.min(...times), samples: times.length };
      rows.push({ ...common, system, ...timing, ...ratesOf(cost, ms, peak), error });
    }
    rows.push(...failures);
    for (const contender of contenders) await contender.dispose();
  }
  return withRatios(rows);
}

/** Samples of each contender in turn, so that what else the machine does hits all alike. Milliseconds of one product. */
async function alternate(gpu: Gpu, contenders: readonly Contender[], effort: Effort) {
  const sample = async ({ runs, each }: Contender, count: number): Promise<number> => {
    const start = performance.now();
    await runs(count);
    await drained(gpu);
    return (performance.now() - start) / count / each;
  };
  const measured: (Contender & { count: number; times: number[] })[] = [];
  for (const contender of contenders) {
    const guess = await sample(contender, 2);
    const count = Math.max(1, Math.min(64, Math.round(effort.sampleMs / guess / contender.each)));
    measured.push({ ...contender, count, times: [] });
  }
  for (let i = 0; i < effort.samples; i++) {
    for (const contender of measured) contender.times.push(await sample(contender, contender.count));
  }
  return measured;
}

/** Adds to each row how many times as long as ours it took. */
export function withRatios(rows: readonly Row[]): Row[] {
  return rows.map((row) => {
    const ours = rows.find(({ work, system }) => work === row.work && system === OURS)?.median_ms;
    if (ours === undefined || row.median_ms === undefined || row.system === OURS) return row;
    return { ...row, times_ours: row.median_ms / ours };
  });
}

export function systemName({ name, version }: Peer): string {
  return version === undefined ? name : `${name} ${version}`;
}

export function messageOf(reason: unknown): string {
  return (reason instanceof Error ? reason.message : String(reason)).split("\n")[0]!;
}
