import { expect, test } from "vitest";
import { createTrainerStateRecorder, formatTrainerState, logHistoryOf } from "../../src/report/trainer-state.ts";
import { description, evaluation, log, tell } from "./run.ts";

const PLAN = {
  maxSteps: 100,
  stepsPerEpoch: 30,
  recordsPerStep: 8,
  loggingSteps: 10,
  evalSteps: 20,
  nonEmbeddingParameters: 1000,
};

test("the file has the fields of transformers' TrainerState, sorted, and the history in its names", async () => {
  const recorder = createTrainerStateRecorder(PLAN);
  await tell(recorder, 0, 20);
  const place = { step: 20, epoch: 2, tokens: 2400, bestModelCheckpoint: "runs/a/checkpoint-20" };
  const text = formatTrainerState(recorder.state(place));
  expect(text.endsWith("\n}\n")).toBe(true);
  const state = JSON.parse(text);
  expect(Object.keys(state)).toEqual(Object.keys(state).sort());
  expect(state).toEqual({
    best_global_step: 20,
    best_metric: 4.3,
    best_model_checkpoint: "runs/a/checkpoint-20",
    epoch: 2,
    eval_steps: 20,
    global_step: 20,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: [
      { ...log(10) },
      { ...log(20) },
      { step: 20, epoch: 2, eval_loss: 4.3, eval_perplexity: Math.exp(4.3), eval_runtime: 1.5 },
      {
        epoch: 2,
        step: 20,
        total_flos: 6 * 2400 * 1000,
        train_loss: 3.5,
        train_runtime: 50,
        train_samples_per_second: 3.2,
        train_steps_per_second: 0.4,
      },
    ],
    logging_steps: 10,
    max_steps: 100,
    num_input_tokens_seen: 2400,
    num_train_epochs: 4,
    save_steps: 500,
    stateful_callbacks: {
      TrainerControl: {
        args: {
          should_epoch_stop: false,
          should_evaluate: false,
          should_log: false,
          should_save: true,
          should_training_stop: false,
        },
        attributes: {},
      },
    },
    total_flos: 6 * 2400 * 1000,
    train_batch_size: 8,
    trial_name: null,
    trial_params: null,
  });
});

test("a run that goes on from a checkpoint has the same history as one that never stopped", async () => {
  const place = { step: 100, epoch: 10, tokens: 12000 };
  const straight = createTrainerStateRecorder(PLAN);
  await tell(straight, 0, 100);
  const first = createTrainerStateRecorder(PLAN);
  await tell(first, 0, 70);
  const saved = JSON.parse(formatTrainerState(first.state({ step: 70, epoch: 7, tokens: 8400 })));
  const second = createTrainerStateRecorder(PLAN, logHistoryOf(saved, "trainer_state.json"));
  await tell(second, 60, 100);
  // The summary's speed is of the steps that this process did.
  const history = [...straight.state(place).log_history];
  expect(second.state(place).log_history.slice(0, -1)).toEqual(history.slice(0, -1));
  expect(second.state(place).log_history.at(-1)).toMatchObject({ step: 100, train_steps_per_second: 0.8 });
});

test("the best evaluation is the lowest; one that is not finite is null and never the best", () => {
  const recorder = createTrainerStateRecorder(PLAN);
  recorder.started?.(description());
  for (const [step, eval_loss] of [
    [20, 3],
    [40, Number.NaN],
    [60, 2],
    [80, 2.5],
  ] as const)
    recorder.evaluated?.(evaluation(step, { eval_loss }));
  const state = recorder.state({ step: 80, epoch: 8, tokens: 1 });
  expect(state).toMatchObject({ best_metric: 2, best_global_step: 60 });
  expect(state.log_history[1]).toMatchObject({ step: 40, eval_loss: null });
});

test("a best checkpoint that is not kept is not named, also where an earlier one was", () => {
  const recorder = createTrainerStateRecorder(PLAN);
  recorder.started?.(description());
  const place = { step: 20, epoch: 2, tokens: 1 };
  const named = (bestModelCheckpoint?: string | null) =>
    recorder.state({ ...place, bestModelCheckpoint }).best_model_checkpoint;
  expect([named("a/checkpoint-20"), named(), named(null), named()]).toEqual([
    "a/checkpoint-20",
    "a/checkpoint-20",
    null,
    null,
  ]);
});

test.each([
  [null, "trainer_state.json: is no state of a trainer: it: "],
  [{}, "log_history: "],
  [{ log_history: [{ loss: 1 }] }, "log_history.0.step: "],
  [{ log_history: [{ step: 1, loss: "low" }] }, "log_history.0.loss: "],
])("%j is no history", (json, message) => {
  expect(() => logHistoryOf(json, "trainer_state.json")).toThrow(message);
});
