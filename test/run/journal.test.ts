/** The journal that does not hold the run's log. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { logHistoryOf } from "../../src/report/trainer-state.ts";
import { type CreateJournal, createJournal, leanJournal } from "../../src/run/journal.ts";
import type { Folder } from "../../src/storage/folder.ts";
import { memoryFolder } from "../../src/storage/memory.ts";
import { readJson } from "../../src/storage/read.ts";
import { description, evaluation, log, tell } from "../report/run.ts";

const PLAN = { maxSteps: 100, stepsPerEpoch: 30, recordsPerStep: 8, loggingSteps: 10, nonEmbeddingParameters: 1000 };
const WRITER = { name: "run", host: "here", process: 7 };
const fail = (message: string): never => expect.fail(message);

test("writes the trainer's states of one that does, before and after a run goes on, and no report", async () => {
  const states: unknown[][] = [];
  const names: string[][] = [];
  for (const journal of [createJournal, leanJournal]) {
    const folder = memoryFolder("run");
    const first = journal(folder, WRITER, PLAN, fail);
    await first.started(description());
    await first.logged(log(10, { loss: Number.NaN }));
    await first.evaluated(evaluation(20));
    await first.logged(log(20));
    const saved = await first.trainerState({ step: 20, epoch: 2, tokens: 2400, bestModelCheckpoint: "checkpoint-20" });
    await first.logged(log(30));
    await first.ended({ step: 30, train_loss: 3.5, train_runtime: 50, reason: "interrupted" });
    const stopped = await readJson(folder, "trainer_state.json");
    const restored = logHistoryOf(saved, "trainer_state.json");
    const second = journal(folder, WRITER, PLAN, fail, restored);
    await tell(second, 20, 100);
    states.push([saved, stopped, await readJson(folder, "trainer_state.json")]);
    names.push((await folder.list()).map(({ name }) => name));
  }
  const [held, written] = states;
  expect(written).toEqual(held);
  expect(held![2]).toMatchObject({ global_step: 100, best_metric: 3.5 });
  expect(names).toEqual([
    ["metrics.jsonl", "report.html", "run.json", "tensorboard", "trainer_state.json"],
    ["metrics.jsonl", "run.json", "tensorboard", "trainer_state.json"],
  ]);
});

test("writes a state without a history where the log cannot be read", async () => {
  const folder = memoryFolder("run");
  const told: string[] = [];
  const journal = leanJournal(folder, WRITER, PLAN, (message) => told.push(message));
  await folder.replace("metrics.jsonl", new Uint8Array([0xff, 0x0a]));
  for (let i = 0; i < 2; i++)
    expect(await journal.trainerState({ step: 1, epoch: 0, tokens: 1 })).toMatchObject({
      global_step: 1,
      log_history: [],
    });
  expect(told).toEqual([
    expect.stringMatching(/^trainer_state\.json is without a history.*metrics\.jsonl: is not UTF-8/),
  ]);
});

test("holds no more after 4,000 logs than after 500", async () => {
  const grown = async (create: CreateJournal): Promise<number> => {
    const journal = create(forgetful(memoryFolder("run")), WRITER, PLAN, fail);
    await journal.started(description());
    let step = 0;
    const until = async (last: number): Promise<number> => {
      while (++step <= last) {
        await journal.logged(log(step));
        await journal.sampled({ step, samples: [{ prompt: "a", text: `b ${step}`, ended: true }] });
      }
      return heapInUse();
    };
    const before = await until(500);
    const after = await until(4000);
    // It is in use until here.
    await journal.noticed({ step, kind: "spike", message: "the last" });
    return after - before;
  };
  const MIB = 2 ** 20;
  expect(await grown(createJournal)).toBeGreaterThan(MIB);
  expect(await grown(leanJournal)).toBeLessThan(MIB / 4);
});

/** A folder whose files that are added to stay empty, as if they were on a disk. */
function forgetful(folder: Folder): Folder {
  return { ...folder, folder: (name) => forgetful(folder.folder(name)), append: async () => {} };
}

function heapInUse(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < 3; i++) collect();
  return process.memoryUsage().heapUsed;
}
