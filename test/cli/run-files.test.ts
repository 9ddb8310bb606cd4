import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import { parseLines } from "../../src/report/lines.ts";
import { createJournal, metricsListener, tensorBoardListener } from "../../src/run/journal.ts";
import { clock, tell } from "../report/run.ts";
import { readEvents } from "../report/tensorboard-reader.ts";

const parent = mkdtempSync(join(tmpdir(), "gpt2-run-files-"));
afterAll(() => rmSync(parent, { recursive: true }));
const PLAN = { maxSteps: 100, stepsPerEpoch: 30, recordsPerStep: 8, loggingSteps: 10, nonEmbeddingParameters: 1000 };
const WRITER = { name: "run", host: "here", process: 7 };

function newFolder(name: string): string {
  const path = join(parent, name);
  mkdirSync(path);
  return path;
}

test("a run that was killed in the middle of a line and went on leaves the metrics of one run", async () => {
  const folder = newFolder("killed");
  const path = join(folder, "metrics.jsonl");
  await tell(metricsListener(nodeFolder(folder), clock()), 0, 70);
  appendFileSync(path, '{"kind":"log","ti');
  await tell(metricsListener(nodeFolder(folder), clock()), 40, 100);
  const { lines, problems } = parseLines(readFileSync(path, "utf8"), path);
  expect(problems).toEqual([]);
  const steps = lines.flatMap(({ kind, step }) => (kind === "log" ? [step] : []));
  expect(steps).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
  expect(lines.map(({ kind }) => kind).filter((kind) => kind === "start" || kind === "end")).toEqual([
    "start",
    "start",
    "end",
  ]);
  expect(JSON.parse(readFileSync(join(folder, "run.json"), "utf8"))).toMatchObject({ resumedFrom: 40, maxSteps: 100 });
  expect(readdirSync(folder).sort()).toEqual(["metrics.jsonl", "run.json"]);
});

test("each process has an event file of its own, later in the order of names even within a second", async () => {
  const folder = newFolder("events");
  await tell(tensorBoardListener(nodeFolder(folder), WRITER, clock()), 0, 70);
  await tell(tensorBoardListener(nodeFolder(folder), WRITER, clock()), 40, 100);
  const names = readdirSync(join(folder, "tensorboard")).sort();
  expect(names).toHaveLength(2);
  const [first, second] = names.map((name) => readEvents(readFileSync(join(folder, "tensorboard", name))));
  expect(first!.at(-1)).toMatchObject({ step: 70 });
  expect(second!.slice(0, 2)).toMatchObject([{ version: "brain.Event:2" }, { session: 1, step: 41 }]);
  expect(second!.at(-1)).toMatchObject({ step: 100, values: [{ tag: "train/train_loss" }, {}] });
});

test("all files together; at the end the state of the trainer too", async () => {
  const folder = newFolder("all");
  const files = createJournal(nodeFolder(folder), WRITER, PLAN, (message) => expect.fail(message));
  await tell(files, 0, 100);
  const state = JSON.parse(readFileSync(join(folder, "trainer_state.json"), "utf8"));
  expect(state).toMatchObject({ global_step: 100, num_input_tokens_seen: 12000, epoch: 10, best_metric: 3.5 });
  expect(state.log_history).toHaveLength(10 + 5 + 1);
  expect(await files.trainerState({ step: 100, epoch: 10, tokens: 12000 })).toEqual(state);
});

test("files that cannot be written do not end the run, and are told once each", async () => {
  const folder = newFolder("refused");
  // A file where the folder should be; a folder where files should be.
  writeFileSync(join(folder, "tensorboard"), "");
  for (const name of ["metrics.jsonl", "trainer_state.json"]) mkdirSync(join(folder, name));
  const told: string[] = [];
  await tell(
    createJournal(nodeFolder(folder), WRITER, PLAN, (message) => told.push(message)),
    0,
    100,
  );
  expect(told.map((line) => line.split(",")[0]).sort()).toEqual([
    "metrics.jsonl could not be written",
    "tensorboard could not be written",
    "trainer_state.json could not be written",
  ]);
});

test("a line or a record that a full disk cut off does not swallow the next", async () => {
  const folder = newFolder("torn");
  const [metrics, events] = [
    metricsListener(nodeFolder(folder), clock()),
    tensorBoardListener(nodeFolder(folder), WRITER, clock()),
  ];
  await tell(metrics, 0, 20);
  await tell(events, 0, 20);
  const path = join(folder, "metrics.jsonl");
  const records = join(folder, "tensorboard", readdirSync(join(folder, "tensorboard"))[0]!);
  appendFileSync(path, '{"kind":"log","time":"2026-');
  appendFileSync(records, readFileSync(records).subarray(0, 21));
  const notice = { step: 20, kind: "spike" as const, message: "after" };
  await metrics.noticed(notice);
  await events.noticed(notice);
  const { lines, problems } = parseLines(readFileSync(path, "utf8"), path);
  expect(problems).toEqual([]);
  expect(lines.at(-1)).toMatchObject({ kind: "notice", message: "after" });
  expect(readEvents(readFileSync(records)).at(-1)).toMatchObject({
    step: 20,
    values: [{ tag: "notices/spike/text_summary" }],
  });
});
