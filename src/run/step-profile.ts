/** Where the time of a run's training step goes, op by op. Nothing is kept of it. */
import { nodeLine } from "../autograd/tape.ts";
import { smallest } from "../core/extremes.ts";
import { type OpTime, timesOfNodes, timesOfOps } from "../runtime/tape-times.ts";
import { ALONE_TEAM } from "../train/alone.ts";
import type { MemoryBudget } from "../train/fit.ts";
import type { ProfiledTape } from "../train/trainer.ts";
import type { TrainPlan } from "./plan.ts";
import { type OpenRuntime, openSession, tapesOf } from "./session.ts";

/** One op of a step's tape. */
export interface StepNode {
  /** Of the tape: "h.0" is the first block. */
  readonly section: string;
  /** As the tape prints it. */
  readonly line: string;
  readonly op: string;
  /** Milliseconds of a step, and its dispatches; 0 where nothing was timed. */
  readonly ms: number;
  readonly dispatches: number;
}

export interface StepProfile {
  /** False where the device has no timestamps: then there is the tape alone. */
  readonly timed: boolean;
  /** Of which each time is the mean. */
  readonly runs: number;
  readonly nodes: readonly StepNode[];
  /** The same by op, the most first. */
  readonly ops: readonly OpTime[];
  /** Milliseconds of all ops together. */
  readonly opsMs: number;
  /** The shortest time but 0 that a dispatch took, in microseconds: what the device's clock can tell, where that is coarse. */
  readonly leastMicroseconds: number;
}

export interface StepProfileOptions {
  readonly budget: MemoryBudget | undefined;
  /** To time for; three times at least. */
  readonly seconds: number;
  readonly signal?: AbortSignal | undefined;
}

const LEAST_RUNS = 3;
const MOST_RUNS = 200;

/** Times the first step of `plan` on `runtime`, whose states it overwrites. Throws a `UserError` where the run would not fit. */
export async function profileStep(
  runtime: OpenRuntime,
  plan: TrainPlan,
  { budget, seconds, signal }: StepProfileOptions,
): Promise<StepProfile> {
  const session = await openSession(runtime, plan, {
    checkpoint: undefined,
    pauseAfter: () => true,
    budget,
    signal,
    team: ALONE_TEAM,
  });
  try {
    const runs: (readonly ProfiledTape[])[] = [];
    // The first one compiles, and touches memory.
    await session.trainer.profile();
    for (const began = performance.now(); runs.length < MOST_RUNS; ) {
      signal?.throwIfAborted();
      const run = await session.trainer.profile();
      if (!run) break;
      runs.push(run);
      if (runs.length >= LEAST_RUNS && performance.now() - began > 1000 * seconds) break;
    }
    const tapes = runs[0]?.map(({ tape }) => tape) ?? tapesOf(plan, runtime);
    const nodes: StepNode[] = [];
    const ops = new Map<string, OpTime>();
    tapes.forEach((tape, part) => {
      const repeated = runs[0]?.[part]?.times ?? 1;
      const times = timesOfNodes(
        tape,
        runs.map((run) => run[part]!.dispatches),
      ).map(({ ms, dispatches }) => ({ ms: repeated * ms, dispatches: repeated * dispatches }));
      for (const time of timesOfOps(tape, times)) ops.set(time.op, sumOf(ops.get(time.op), time, repeated));
      let section = "";
      tape.nodes.forEach((node, at) => {
        section = tape.sections.findLast(({ start }) => start === at)?.name ?? section;
        nodes.push({ section, line: nodeLine(tape, node), op: node.op.name, ...times[at]! });
      });
    });
    const times = runs.flatMap((run) => run.flatMap(({ dispatches }) => dispatches.map((one) => one.microseconds)));
    return {
      timed: runs.length > 0,
      runs: runs.length,
      nodes,
      ops: [...ops.values()].sort((a, b) => b.ms - a.ms),
      opsMs: nodes.reduce((sum, { ms }) => sum + ms, 0),
      leastMicroseconds: runs.length > 0 ? smallest(times.filter((time) => time > 0)) : 0,
    };
  } finally {
    await session.dispose();
  }
}

function sumOf(before: OpTime | undefined, time: OpTime, repeated: number): OpTime {
  return {
    op: time.op,
    ms: (before?.ms ?? 0) + time.ms,
    dispatches: (before?.dispatches ?? 0) + time.dispatches,
    nodes: (before?.nodes ?? 0) + time.nodes,
    flops: (before?.flops ?? 0) + repeated * time.flops,
    bytes: (before?.bytes ?? 0) + repeated * time.bytes,
  };
}
