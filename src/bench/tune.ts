import type { Gpu } from "../gpu/device.ts";
import { createGpuRuntime } from "../runtime/gpu.ts";
import type { Bench, Contest, Contestant, TuningResult } from "../runtime/tuner.ts";
import { fillAll } from "./data.ts";
import { drained } from "./measure.ts";
import { costOfWork, type OpWork, prepareIn, referenceOf, sourcesOf } from "./op-work.ts";
import { attentionWork, matmulWork } from "./works.ts";

/** Floating-point operations of a run that is timed: some milliseconds, many times what a wait is late by. */
const RUN_FLOPS = { software: 4e8, hardware: 2e10 } as const;
const MOST_REPEATS = 64;

/** Contests on a device: each choice's result is compared with the CPU in float64 before its time counts. */
export function deviceBench(gpu: Gpu, onResult?: (result: TuningResult) => void): Bench {
  return {
    clock: () => performance.now(),
    ...(onResult ? { onResult } : {}),
    async open(contest) {
      // One runtime for all choices, so that they share the tensors that they read.
      const runtime = createGpuRuntime(gpu);
      const works = worksOf(contest);
      const first = works[0]!;
      const inputs = fillAll(sourcesOf(first));
      const flops = RUN_FLOPS[gpu.kind === "hardware" ? "hardware" : "software"];
      const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.round(flops / costOfWork(first).flops)));
      // All choices compute the same.
      const wanted = await referenceOf(first, inputs);
      const contestants: Contestant[] = [];
      for (const work of works) contestants.push(await contestantOf(work));
      return { contestants, close: () => runtime.close() };

      async function contestantOf(work: OpWork): Promise<Contestant> {
        try {
          const { failed, run } = await prepareIn(runtime, work, inputs, repeats, wanted);
          return {
            failed,
            async run() {
              run();
              await drained(gpu);
            },
          };
        } catch (reason) {
          return { failed: reason instanceof Error ? reason.message : String(reason), run: async () => {} };
        }
      }
    },
  };
}

function worksOf(contest: Contest): OpWork[] {
  if (contest.kind === "matmul") {
    const { M, N, K, transposeA, transposeB, types, exact = false } = contest.work;
    return contest.choices.map((choice) => ({
      ...matmulWork(M, N, K, { transposeA, transposeB, exact, ...choice }, types),
      work: `${choice.variant} ${choice.splits}`,
    }));
  }
  const { batch, heads, T, D, dtype } = contest.work;
  return contest.choices.map((variant) => ({
    ...attentionWork(batch, T, heads * D, heads, variant, dtype),
    work: variant,
    gradient: true,
  }));
}
