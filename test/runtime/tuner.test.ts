import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createTape, type Tape } from "../../src/autograd/tape.ts";
import { deviceBench } from "../../src/bench/tune.ts";
import { attention } from "../../src/kernels/attention.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { f32 } from "../../src/kernels/op.ts";
import { DEFAULT_TRAITS } from "../../src/kernels/traits.ts";
import { matmulClass, mergeTunings, NO_TUNING, tuningFrom } from "../../src/kernels/tuning.ts";
import { kernelsDigest } from "../../src/kernels/wgsl.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { layoutParameters } from "../../src/model/parameters.ts";
import { keepMeasurements, measurementKey, readMeasurements } from "../../src/platform/node.ts";
import { traitsOf } from "../../src/runtime/gpu.ts";
import { layOut } from "../../src/runtime/layout.ts";
import { type Bench, type Contest, contestsOf, type TuningResult, tune } from "../../src/runtime/tuner.ts";
import { trainingTape } from "../../src/train/step.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";

function productTape(M: number, N: number, K: number): Tape {
  const tape = createTape();
  tape.output("y", matmul(tape.input("a", f32([M, K])), tape.input("b", f32([K, N]))));
  return tape;
}

/** A clock that only the work itself moves: each run of a choice takes what `msOf` says, which may differ by run. */
function fakeBench(msOf: (name: string, run: number) => number, wrong: readonly string[] = []) {
  let now = 0;
  const order: string[] = [];
  const results: TuningResult[] = [];
  let open = 0;
  const bench: Bench = {
    clock: () => now,
    onResult: (result) => results.push(result),
    async open(contest) {
      open++;
      const contestants = contest.choices.map((choice) => {
        const name = typeof choice === "string" ? choice : `${choice.variant} ${choice.splits}`;
        let runs = 0;
        return {
          failed: wrong.includes(name) ? "wrong result" : undefined,
          async run() {
            order.push(name);
            now += msOf(name, runs++);
          },
        };
      });
      return { contestants, close: () => open-- };
    },
  };
  return { bench, order, results, open: () => open };
}

const tape = productTape(1024, 1024, 1024);
const contests = contestsOf([tape], DEFAULT_TRAITS);
const key = contests[0]!.class;
const names = contests[0]!.choices.map((choice) =>
  typeof choice === "string" ? choice : `${choice.variant} ${choice.splits}`,
);

describe("contests", () => {
  test("of mixed precision are of its types", () => {
    const config = gpt2Config({ vocabSize: 500, contextLength: 64, width: 64, layers: 1, heads: 1 });
    const adam = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };
    const step = trainingTape(
      config,
      layoutParameters(config),
      { batch: 2, context: 64 },
      { ...adam, precision: "f16" },
    );
    const classes = contestsOf([step], DEFAULT_TRAITS).map((contest) => contest.class);
    expect(classes).toContain("NN 128 256 64 f16 f16 f16"); // qkv and the first of the MLP
    expect(classes).toContain("TN 64 256 128 f16 f16 f32"); // the gradient of a weight
    expect(classes).toContain("NT 128 64 64 f32 f16 f16"); // of an activation, out of the residual stream
    expect(classes).toContain("64 64 f16");
  });

  test("are the classes of a tape's sizes, the default first, each choice once", () => {
    expect(contests).toHaveLength(1);
    expect(key).toBe("NN 1024 1024 1024");
    expect(names[0]).toBe("staged128 2");
    expect(names).toContain("registers-wide 1");
    expect(names).toContain("staged64 4");
    expect(names).not.toContain("naive 1");
    expect(new Set(names).size).toBe(names.length);
  });

  test("sizes of one class are measured once, at the largest", () => {
    const two = contestsOf([productTape(1000, 1024, 1024), tape, productTape(900, 1024, 1024)], DEFAULT_TRAITS);
    expect(two.map(({ work }) => work)).toEqual([expect.objectContaining({ M: 1024 })]);
  });

  test("a software driver chooses among variants, never splits, and has one attention", () => {
    const software = contestsOf([tape], { ...DEFAULT_TRAITS, software: true });
    expect(software.flatMap(({ choices }) => choices as readonly { splits: number }[])).toEqual(
      expect.arrayContaining([expect.objectContaining({ variant: "registers-wide", splits: 1 })]),
    );
    for (const { choices } of software) for (const choice of choices) expect(choice).toMatchObject({ splits: 1 });
    // what is made for GPUs is not tried, nor the other way round
    const chosen = (all: typeof contests) => JSON.stringify(all.map(({ choices }) => choices));
    expect(chosen(software)).not.toMatch(/staged|vectors|matrix/);
    const withSubgroups = { ...DEFAULT_TRAITS, subgroups: true, subgroupMinSize: 8, subgroupMaxSize: 32 };
    expect(chosen(contestsOf([tape], withSubgroups))).not.toContain("subgroup");
  });

  test.each([
    [8, ["rows"]],
    [16, ["rows", "quads"]],
    [64, ["quads", "rows"]],
    [72, ["rows"]],
  ])(
    "a GPU with subgroups has quads for heads of %d if they are multiples of 16, by default from 32 on",
    (D, wanted) => {
      const tape = createTape();
      const qkv = tape.input("qkv", f32([64, 3 * D]));
      const lengths = tape.input("lengths", { dtype: "u32", shape: [1] });
      tape.output("y", attention(qkv, lengths, { batch: 1, heads: 1 }));
      const [contest] = contestsOf([tape], { ...DEFAULT_TRAITS, subgroups: true, subgroupMinSize: 32 });
      expect(contest!.choices.slice(0, wanted.length)).toEqual(wanted);
      expect(contest!.choices[wanted.length]).toBe("panels");
      // what is planned without a tuning is the first choice
      const { dispatches } = layOut(tape, { ...DEFAULT_TRAITS, subgroups: true, subgroupMinSize: 32 });
      const lane = wanted[0] === "quads" ? "attention/gpu/lane_quad" : "attention/gpu/lane_alone";
      expect(dispatches[0]!.dispatch.shader).toContain(lane);
    },
  );
});

describe("a tuner", () => {
  const tuneWith = async (msOf: (name: string, run: number) => number, wrong?: readonly string[]) => {
    const fake = fakeBench(msOf, wrong);
    const tuning = await tune(contests, fake.bench);
    expect(fake.open()).toBe(0);
    const { variant, splits } = tuning.matmul[key]!;
    return { chosen: `${variant} ${splits}`, ...fake };
  };

  test("chooses the fastest by its best time, whatever slow runs say", async () => {
    const { chosen } = await tuneWith((name, run) => (name === "staged64 4" ? (run > 2 ? 500 : 5) : 10));
    expect(chosen).toBe("staged64 4");
  });

  test("keeps the default where nothing is clearly faster", async () => {
    expect((await tuneWith((name) => (name === names[0] ? 10 : 9.8))).chosen).toBe(names[0]);
    expect((await tuneWith(() => 10)).chosen).toBe(names[0]);
  });

  test("a wrong result is never chosen nor timed, however fast", async () => {
    const { chosen, order } = await tuneWith(
      (name) => (name === "registers-wide 1" ? 1 : name === "staged32 1" ? 5 : 10),
      ["registers-wide 1"],
    );
    expect(chosen).toBe("staged32 1");
    expect(order).not.toContain("registers-wide 1");
  });

  test("does not count the first run, which compiles, and lets all that are left take turns", async () => {
    const { chosen, order } = await tuneWith((name, run) => {
      if (name === "staged32 1") return run === 0 ? 9000 : 5;
      return name === "registers-wide 1" ? 1000 : 10;
    });
    expect(chosen).toBe("staged32 1");
    // hopeless at once: compiled, timed once
    expect(order.filter((name) => name === "registers-wide 1")).toHaveLength(2);
    const turns = order.slice(-2 * (names.length - 1));
    expect(turns.slice(0, names.length - 1)).toEqual(names.filter((name) => name !== "registers-wide 1"));
    expect(turns.slice(names.length - 1)).toEqual(turns.slice(0, names.length - 1));
  });

  test("the same times give the same tuning", async () => {
    const msOf = (name: string, run: number) => name.length + run;
    const [first, second] = [fakeBench(msOf), fakeBench(msOf)];
    expect(await tune(contests, first.bench)).toEqual(await tune(contests, second.bench));
    expect(first.results[0]!.best).toEqual(second.results[0]!.best);
  });
});

describe("a tuning", () => {
  const tuning = { matmul: { [key]: { variant: "staged32", splits: 4 } }, attention: {} };
  const usual = ["matmul/gpu/staged", "matmul/reduce"];
  const shadersOf = (traits: typeof DEFAULT_TRAITS) =>
    layOut(tape, traits).dispatches.map(({ dispatch }) => dispatch.shader.at(-1));

  test("decides what a plan dispatches, and nothing else does", () => {
    expect(shadersOf(DEFAULT_TRAITS)).toEqual(usual);
    expect(shadersOf({ ...DEFAULT_TRAITS, tuning })).toEqual(["matmul/gpu/staged_32x32", "matmul/reduce"]);
    expect(shadersOf({ ...DEFAULT_TRAITS, tuning: NO_TUNING })).toEqual(usual);
  });

  test("that the adapter cannot do, or that names what is gone, leaves the default", () => {
    const choose = (variant: string) => ({ ...tuning, matmul: { [key]: { variant, splits: 1 } } });
    expect(shadersOf({ ...DEFAULT_TRAITS, tuning: choose("subgroup8") })).toEqual(usual);
    expect(shadersOf({ ...DEFAULT_TRAITS, tuning: choose("of old") })).toEqual(usual);
  });

  test("comes back from JSON, and nothing else does", () => {
    expect(tuningFrom(JSON.parse(JSON.stringify(tuning)))).toEqual(tuning);
    const damaged = [
      null,
      7,
      [],
      {},
      { matmul: {} },
      { matmul: [], attention: {} },
      { matmul: { a: 1 }, attention: {} },
      { matmul: { a: { variant: "x", splits: 0 } }, attention: {} },
      { matmul: {}, attention: { a: "columns" } },
    ];
    for (const data of damaged) expect(tuningFrom(data), JSON.stringify(data)).toBeUndefined();
  });

  test("is joined to what was known, the new going first", () => {
    const more = { matmul: { [key]: { variant: "registers", splits: 1 } }, attention: { "64 64": "rows" } } as const;
    expect(mergeTunings(tuning, more)).toEqual(more);
    expect(mergeTunings(more, NO_TUNING)).toEqual(more);
  });

  test("classes tell forms apart and join near sizes", () => {
    const product = { M: 1000, N: 50257, K: 768, transposeA: false, transposeB: true };
    expect(matmulClass(product)).toBe("NT 1024 65536 1024");
    expect(matmulClass({ ...product, transposeB: false })).toBe("NN 1024 65536 1024");
    expect(matmulClass({ ...product, M: 1 })).toBe("NT 1 65536 1024");
    expect(matmulClass({ ...product, types: { a: "f32", b: "f32", y: "f32" } })).toBe("NT 1024 65536 1024");
    expect(matmulClass({ ...product, types: { a: "f16", b: "f16", y: "f32" } })).toBe("NT 1024 65536 1024 f16 f16 f32");
    expect(kernelsDigest()).toMatch(/^[0-9a-f]{8}$/);
  });
});

describe("the cache", () => {
  const info = { vendor: "v", architecture: "a", device: "d", description: "x" };
  const adapter = { driver: "driver 1", kind: "hardware", info: info as never } as const;

  async function withFolder(use: (env: NodeJS.ProcessEnv, folder: string) => Promise<void>): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), "tuning-"));
    try {
      await use({ GPT2_CACHE: join(folder, "cache") }, join(folder, "cache"));
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  test("gives what was kept for this adapter, driver and version, and for no other", async () => {
    await withFolder(async (env) => {
      const own = measurementKey(adapter, "1");
      expect(await readMeasurements(own, env)).toEqual({});
      await keepMeasurements(own, NO_TUNING, env);
      expect(await readMeasurements(own, env)).toEqual({ data: NO_TUNING });
      for (const other of [measurementKey({ ...adapter, driver: "driver 2" }, "1"), measurementKey(adapter, "2")])
        expect(await readMeasurements(other, env)).toEqual({});
    });
  });

  test.each([["half a fi"], [""], ["[]"], ['{"key": "of another adapter", "data": {}}']])(
    "a damaged file is ignored with one line: %s",
    async (text) => {
      await withFolder(async (env, folder) => {
        const own = measurementKey(adapter, "1");
        await keepMeasurements(own, NO_TUNING, env);
        const [file] = await readdir(folder);
        await writeFile(join(folder, file!), text);
        const { data, problem } = await readMeasurements(own, env);
        expect(data).toBeUndefined();
        expect(problem).toContain("ignored");
        expect(problem).not.toContain("\n");
        await keepMeasurements(own, NO_TUNING, env);
        expect(await readMeasurements(own, env)).toEqual({ data: NO_TUNING });
      });
    },
  );
});

describe.each(testAdapters)("%s", (adapter) => {
  test("contestants compute right results on the device, and run", async () => {
    const gpu = await openTestGpu(adapter);
    const [contest] = contestsOf([productTape(24, 20, 16)], traitsOf(gpu)) as [Contest];
    const { contestants, close } = await deviceBench(gpu).open(contest);
    expect(contestants).toHaveLength(contest.choices.length);
    for (const { failed, run } of contestants) {
      expect(failed).toBeUndefined();
      await run();
    }
    close();
  });
});
