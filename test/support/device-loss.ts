/** Runs whose device is destroyed at some moment, and that go on by themselves. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Gpu } from "../../src/gpu/device.ts";
import { openGpu } from "../../src/platform/node.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { withRecovery } from "../../src/train/recovery.ts";
import { differing, newestStep, statesOf, tinyOptions, trainTiny } from "./tiny-run.ts";

/** When the device goes: some time after it was opened, or after its first step; or right after the n-th call of a kind. */
export type Moment =
  | { readonly kind: "opened" | "stepped"; readonly milliseconds: number }
  | { readonly kind: "run" | "readState" | "writeState"; readonly call: number };

export interface Outcome {
  /** The moments at which a device was lost. */
  readonly lost: readonly Moment["kind"][];
  readonly lossOf: ReadonlyMap<number, number>;
  /** Steps computed again; each gave the loss that it gave before, or the run fails. */
  readonly repeated: number;
  readonly states: readonly Uint32Array[];
}

/** Trains the tiny run to its end, on a device for each moment, which is lost then, and on one more: `last`, or another of its own. */
export async function trainThroughLosses(
  adapter: string,
  maxSteps: number,
  moments: readonly Moment[],
  last?: Gpu,
): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), "device-loss-"));
  const lossOf = new Map<number, number>();
  const lost: Moment["kind"][] = [];
  let repeated = 0;
  try {
    const states = await withRecovery({
      async open() {
        const moment = moments[lost.length];
        const gpu = (moment ? undefined : last) ?? (await openGpu({ adapter }));
        const runtime = createGpuRuntime(gpu);
        const timers: NodeJS.Timeout[] = [];
        const loseAt = (kind: Moment["kind"]): void => {
          if (moment?.kind === kind && "milliseconds" in moment && timers.length === 0)
            timers.push(setTimeout(() => gpu.device.destroy(), moment.milliseconds));
        };
        loseAt("opened");
        return {
          runtime: moment && "call" in moment ? losing(runtime, moment, () => gpu.device.destroy()) : runtime,
          stepped: () => loseAt("stepped"),
          close() {
            timers.forEach(clearTimeout);
            runtime.close();
            if (gpu !== last) gpu.close();
          },
        };
      },
      async use(session) {
        await trainTiny(
          session.runtime,
          {
            directory,
            saveSteps: 3,
            notice: () => {},
            stepped(step, loss) {
              session.stepped();
              if (lossOf.has(step)) {
                repeated++;
                if (!Object.is(lossOf.get(step), loss)) throw new Error(`step ${step} came out otherwise`);
              }
              lossOf.set(step, loss);
            },
          },
          { ...tinyOptions, maxSteps },
        );
        return statesOf(session.runtime);
      },
      saved: () => newestStep(directory),
      mostLosses: moments.length,
      notice: () => void lost.push(moments[lost.length]!.kind),
      pause: 0,
    });
    return { lost, lossOf, repeated, states };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function losing(runtime: Runtime, { kind, call }: Extract<Moment, { call: number }>, lose: () => void): Runtime {
  let calls = 0;
  const counted = <T>(name: string, result: T): T => {
    if (name === kind && ++calls === call) lose();
    return result;
  };
  return {
    ...runtime,
    writeState: (...args) => counted("writeState", runtime.writeState(...args)),
    readState: (...args) => counted("readState", runtime.readState(...args)),
    async compile(tape) {
      const program = await runtime.compile(tape);
      return { ...program, run: (inputs) => counted("run", program.run(inputs)) };
    },
  };
}

/** What is wrong with a run that was cut, compared with one that was not; undefined where they are equal to the last bit. */
export function difference(cut: Outcome, whole: Outcome): string | undefined {
  const bits = differing(cut.states, whole.states);
  if (bits > 0) return `${bits} elements of weights and moments differ`;
  for (const [step, loss] of whole.lossOf) {
    if (!Object.is(cut.lossOf.get(step), loss)) return `the loss of step ${step} differs`;
  }
  return undefined;
}

/** Moments of every kind: a function of `random`, which gives numbers in [0, 1). `compileMs`: until a first step is done. */
export function drawMoments(count: number, random: () => number, compileMs: number): Moment[] {
  const kinds = ["run", "readState", "stepped", "opened", "run", "readState", "stepped", "writeState"] as const;
  return Array.from({ length: count }, () => {
    const kind = kinds[Math.floor(random() * kinds.length)]!;
    if (kind === "opened") return { kind, milliseconds: random() * compileMs };
    if (kind === "stepped") return { kind, milliseconds: random() * 200 };
    // Four steps of two batches and an update; two saves of three times 17 pieces; one restoring.
    return { kind, call: 1 + Math.floor(random() * { run: 12, readState: 100, writeState: 30 }[kind]) };
  });
}

/** Numbers in [0, 1) from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
