/** Ranks that train together: the bits of one process, whatever the number of ranks. */
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { DeviceLostError, UserError } from "../../src/core/errors.ts";
import { packStep } from "../../src/kernels/step.ts";
import { ARENA, writeArena } from "../../src/model/arena.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { initialParameters, layoutParameters } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { collate } from "../../src/train/batch.ts";
import { addInto, chunkOf } from "../../src/train/collective.ts";
import { sharedCollective, shareRanks } from "../../src/train/shared-collective.ts";
import { rankSegments, rankTape } from "../../src/train/step.ts";
import { createTeam, RankFailedError } from "../../src/train/team.ts";
import { openTestRuntime, type TestDriver, testDrivers } from "../support/drivers.ts";
import { halvesOn } from "../support/gpu.ts";
import { onRanks, RANK_CASES, type RankCase, trainCase } from "../support/ranks.ts";

async function onOwn<T>(open: () => Promise<Runtime>, work: (runtime: Runtime) => Promise<T>): Promise<T> {
  const runtime = await open();
  try {
    return await work(runtime);
  } finally {
    runtime.close();
  }
}

async function compare(open: () => Promise<Runtime>, rankCase: RankCase, sizes: readonly number[], maxSteps: number) {
  const alone = await onOwn(open, (runtime) => trainCase(runtime, rankCase, undefined, { maxSteps }));
  expect(alone.steps).toHaveLength(maxSteps);
  for (const size of sizes) {
    const ranks = await onRanks(size, (collective) =>
      onOwn(open, (runtime) => trainCase(runtime, rankCase, collective, { maxSteps })),
    );
    for (const rank of ranks) expect(rank).toEqual(alone);
  }
  return alone;
}

describe("the weights, moments, losses, norms and evaluation of one process", () => {
  const cases = Object.entries(RANK_CASES).filter(([, { options }]) => options?.precision !== "f16");

  // scripts/ranks.ts has all cases on all devices, for any of these numbers.
  test.each(cases.map(([name, one], i) => [name, one, i === 0 ? [2, 3, 4] : [3]] as const))(
    "ranks in WebAssembly: %s",
    async (_, rankCase, sizes) => {
      const { steps } = await compare(() => openTestRuntime("wasm"), rankCase, sizes, 5);
      const { poisoned } = rankCase;
      expect(steps.map((step) => (step as { applied: boolean }).applied)).toEqual(
        steps.map((_, i) => i + 1 !== poisoned),
      );
    },
  );

  test("3 ranks on the reference, in f16 with an overflow", async () => {
    const { steps } = await compare(async () => createCpuRuntime(), RANK_CASES["f16 with an overflow"]!, [3], 4);
    expect(steps.map((step) => (step as { applied: boolean }).applied)).toContain(false);
  });

  const drivers = testDrivers.filter((driver): driver is Exclude<TestDriver, "wasm"> => driver !== "wasm");
  test.each(drivers)("3 ranks on the adapter %s", async (driver) => {
    const rankCase = halvesOn(driver) ? RANK_CASES["f16 with an overflow"]! : { options: { leastSegment: 300 } };
    await compare(() => openTestRuntime(driver), rankCase, [3], 2);
  });
});

test("threads that may sum in any order keep that of one process, which costs them nothing", async () => {
  await compare(() => openTestRuntime("wasm"), { options: { fastReduce: true } }, [3], 2);
});

test("segments are all that trains, the last layers first, and a run tells of them while it goes on", async () => {
  const config = gpt2Config({ vocabSize: 50, contextLength: 16, width: 32, layers: 4, heads: 2 });
  const layout = layoutParameters(config);
  const segments = rankSegments(config, layout, {}, 12_000);
  const ranges = segments.flatMap((segment) => segment.ranges).toSorted((a, b) => a.offset - b.offset);
  let end = 0;
  for (const { offset, length } of ranges) {
    expect(offset).toBe(end);
    end += length;
  }
  expect(end).toBe(layout.trained);
  const at = (name: string) => layout.entries.find((entry) => entry.name === name)!.offset;
  const inside = (offset: number) =>
    segments.findIndex((one) =>
      one.ranges.some((range) => offset >= range.offset && offset < range.offset + range.length),
    );
  const order = [3, 2, 1, 0].map((block) => inside(at(`h.${block}.mlp.c_fc.weight`)));
  expect(order).toEqual([0, 1, 2, 3]);
  // The token embedding is the classifier's table, too, and done last.
  expect(inside(at("wte.weight"))).toBe(segments.length - 1);
  const tape = rankTape(config, layout, { batch: 2, context: 8 }, {}, segments);
  expect(tape.fences).toHaveLength(segments.length - 1);
  expect(tape.fences).toEqual([...tape.fences].sort((a, b) => a - b));
  // WebAssembly, and one adapter.
  for (const driver of testDrivers.slice(-2)) {
    const runtime = await openTestRuntime(driver);
    const program = await runtime.compile(rankTape(config, layout, { batch: 2, context: 8 }, {}, segments));
    const { inputs, labelCount } = collate([{ ids: [1, 2, 3, 4, 5] }, { ids: [6, 7, 8] }], 8, 50);
    const step = packStep({ seed: 1, step: 1, learningRate: 0, lossScale: 1 / labelCount });
    writeArena(runtime, layout, ARENA.parameters, initialParameters(config, layout, 1));
    const fences: number[] = [];
    const early: Promise<ArrayLike<number>>[] = [];
    const reached = (fence: number): void => {
      fences.push(fence);
      const [{ offset, length }] = segments[fence]!.ranges as [{ offset: number; length: number }];
      early.push(runtime.readState(ARENA.gradients, offset, length, new Float32Array(length)));
    };
    const first = await program.run({ ...inputs, step }, reached);
    expect(fences).toEqual(tape.fences.map((_, i) => i));
    const whole = await runtime.readState(ARENA.gradients);
    for (const [i, read] of (await Promise.all(early)).entries()) {
      const { offset, length } = segments[i]!.ranges[0]!;
      expect(read).toEqual(whole.slice(offset, offset + length));
    }
    expect(await program.run({ ...inputs, step })).toEqual(first);
    program.dispose();
    runtime.close();
  }
});

test("a sum over ranks is that of the vectors one after another, in any number of rounds", async () => {
  const length = 1003;
  const vector = (n: number) =>
    Float32Array.from({ length }, (_, i) => Math.fround(Math.sin(n * 999 + i) * 10 ** ((n * i) % 9)));
  const [size, batches] = [3, 8];
  const wanted = new Float32Array(length);
  for (let n = 0; n < batches; n++) addInto(wanted, vector(n));
  const all = { offset: 0, length };
  const found = await onRanks(size, async (collective) => {
    const sums = collective.sums(length);
    for (let first = 0; first < batches; first += size) {
      const batch = first + collective.rank;
      sums.given.set(vector(batch < batches ? batch : 99));
      await sums.add(all, { first: first === 0, count: Math.min(size, batches - first) });
    }
    await sums.share(all);
    return Float32Array.from(sums.sums);
  });
  for (const sums of found) expect(sums).toEqual(wanted);
  const chunks = Array.from({ length: 5 }, (_, rank) => chunkOf({ offset: 7, length: 11 }, rank, 5));
  expect(chunks.map(({ length }) => length)).toEqual([3, 3, 3, 2, 0]);
});

test("ranks are threads", async () => {
  const [size, length] = [3, 5000];
  const shared = shareRanks(size);
  const module = new URL("../../dist/train/shared-collective.js", import.meta.url).href;
  const script = `
    const { parentPort, workerData } = require("node:worker_threads");
    import(${JSON.stringify(module)}).then(async ({ sharedCollective }) => {
      const { shared, rank, length } = workerData;
      const collective = sharedCollective(shared, rank);
      const sums = collective.sums(length);
      const all = { offset: 0, length };
      for (let round = 0; round < 20; round++) {
        sums.given.fill(rank + round);
        await sums.add(all, { first: round === 0, count: 3 });
      }
      await sums.share(all);
      await collective.leave();
      parentPort.postMessage(Array.from(new Set(sums.sums)));
    });`;
  const heard = Array.from({ length: size }, (_, rank) => {
    const worker = new Worker(script, { eval: true, workerData: { shared, rank, length } });
    return new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject));
  });
  expect(await Promise.all(heard)).toEqual([[630], [630], [630]]);
});

describe("a rank that cannot go on", () => {
  test("says why, and the others say which one it is", async () => {
    const ended = await onRanks(3, async (collective) => {
      const team = createTeam(collective);
      await team.together(() => {});
      return team
        .together(async () => {
          if (collective.rank === 1) throw new UserError("the disk is full", { kind: "memory" });
          // Whoever is at work meanwhile does not finish first.
          if (collective.rank === 2) await new Promise((resolve) => setTimeout(resolve, 3000));
        })
        .catch((error: unknown) => error);
    });
    expect(ended[1]).toBeInstanceOf(UserError);
    for (const rank of [0, 2])
      expect(ended[rank]).toMatchObject({ name: "RankFailedError", rank: 1, failure: "memory" });
    expect(String(ended[0])).toBe(String(new RankFailedError(1, 3, "memory")));
  });

  test("whose device is lost is as if all were", async () => {
    const ended = await onRanks(2, (collective) =>
      createTeam(collective)
        .meet([], collective.rank === 1 ? { error: new DeviceLostError("it fell off") } : undefined)
        .catch((error: unknown) => error),
    );
    expect(ended.map(String)).toEqual([
      "DeviceLostError: the device of rank 1 was lost",
      "DeviceLostError: it fell off",
    ]);
  });

  test("is named when it is not heard of, and when its weights are others", async () => {
    const shared = shareRanks(3);
    const [first, , third] = [0, 1, 2].map((rank) => sharedCollective(shared, rank, { timeout: 400 }));
    const silent = { name: "RankLostError", rank: 1 };
    sharedCollective(shared, 1).abort(1);
    const words = new Uint32Array(4);
    await expect(first!.exchange(words)).rejects.toMatchObject(silent);
    await expect(third!.exchange(words)).rejects.toMatchObject(silent);

    const ended = await onRanks(3, (collective) =>
      onOwn(
        () => openTestRuntime("wasm"),
        (runtime) => {
          const astray: Runtime = {
            ...runtime,
            // What is read of the weights is only what is compared.
            async readState(name, ...part) {
              const values = await runtime.readState(name, ...part);
              if (name === "parameters" && collective.rank === 2) values[0]! += 1;
              return values;
            },
          };
          return trainCase(astray, {}, collective, { maxSteps: 2 }).catch((error: unknown) => error);
        },
      ),
    );
    for (const error of ended) expect(String(error)).toMatch(/before step 1 the weights of rank 2 are not those of/);
  });
});

test("what one rank wishes is heard by all at the same meeting, and what rank 0 finds out is known to all", async () => {
  const heard = await onRanks(3, async (collective) => {
    const bits: number[] = [];
    const wishes = { at: 0 };
    const team = createTeam(collective).with({
      wishes: () => (collective.rank === 2 && wishes.at === 1 ? 2 : 0),
      wished: (now) => void bits.push(now),
    });
    for (; wishes.at < 3; wishes.at++) await team.meet();
    const found = await team.lead(async () => ({ step: 7, of: collective.rank }));
    const bytes = new Uint8Array(3).fill(collective.rank + 5);
    await team.broadcast(bytes);
    return { bits: bits.slice(0, 3), found, bytes: [...bytes] };
  });
  for (const one of heard) expect(one).toEqual({ bits: [0, 2, 0], found: { step: 7, of: 0 }, bytes: [5, 5, 5] });
});
