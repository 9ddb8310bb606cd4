/** What a run keeps in its folder: its journal, its checkpoints, and how it ended. */
import { DeviceLostError, StoppedError, UserError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { VERSION } from "../core/version.ts";
import { parameterCount } from "../model/config.ts";
import { trainedEntries } from "../model/parameters.ts";
import { logHistoryOf } from "../report/trainer-state.ts";
import type { Folder } from "../storage/folder.ts";
import { jsonFile, optimizerFile, resultFiles } from "../train/checkpoint.ts";
import { listeners, type RunDescription, type RunListener, type RunSummary } from "../train/events.ts";
import type { StepResult } from "../train/trainer.ts";
import { checkpointName, saveCheckpoint } from "./checkpoints.ts";
import { notFiniteFile, TRAINER_STATE_FILE } from "./files.ts";
import { type CreateJournal, createJournal, type Writer } from "./journal.ts";
import { divergedError, type LoopActions } from "./loop.ts";
import { modelOf, type TrainPlan } from "./plan.ts";
import type { ResumePoint } from "./resume.ts";
import { samplesBetween } from "./sample.ts";
import type { Session } from "./session.ts";
import { runStateToJson, STATE_FILE } from "./state.ts";

/** A checkpoint's copy of the settings. */
const SETTINGS_FILE = "training_args.json";

/** What a loop does besides stepping, kept in the run's folder and told to who listens. */
export interface Recorder {
  readonly actions: LoopActions;
  ended(summary: RunSummary): Promise<void>;
  /** Tells that the run ends by an error, at the step that it had come to. */
  broken(error: unknown): Promise<void>;
  /** Throws what the person should hear of a run that diverged. */
  failed(): never;
}

export interface RecorderOptions {
  readonly folder: Folder;
  /** What the session goes on from; undefined at the first step. */
  readonly from: ResumePoint | undefined;
  readonly writer: Writer;
  readonly listener: Required<RunListener>;
  /** What was said of the device that was lost before, where this session goes on for it. */
  readonly lost: string | undefined;
  /** As `RunOptions` has it. */
  readonly journal?: CreateJournal | undefined;
  /** Throws where the run is no longer this process's. */
  check(): Promise<void>;
}

export async function createRecorder(
  session: Session,
  plan: TrainPlan,
  { folder, from, writer, listener, lost, journal: open = createJournal, check }: RecorderOptions,
): Promise<Recorder> {
  const { settings, options, config, layout, source } = plan;
  const { maxSteps } = options;
  const history = from ? logHistoryOf(await from.checkpoint.json(TRAINER_STATE_FILE), TRAINER_STATE_FILE) : [];
  const first = from?.state.step ?? 0;
  const say = listener.warned;
  const journal = open(
    folder,
    writer,
    {
      maxSteps,
      stepsPerEpoch: source.stepsPerEpoch,
      recordsPerStep: source.rowsPerStep,
      loggingSteps: settings.loggingSteps,
      evalSteps: plan.evaluation && settings.evalSteps,
      saveSteps: settings.saveSteps || undefined,
      nonEmbeddingParameters: parameterCount(config) - (config.vocabSize + config.contextLength) * config.width,
    },
    say,
    history,
  );
  const told = listeners([journal, listener]);
  await told.started(describe(session, plan, first));
  // Told at the step that the run goes on from: later ones are void, and are trained again.
  if (lost !== undefined) await told.noticed({ step: first, kind: "device-lost", message: lost });
  if (first > 0) await told.noticed({ step: first, kind: "resumed", message: `went on from step ${first}` });
  const began = performance.now();
  let last = first;
  let end: RunSummary["reason"] | undefined;
  let divergence: { result: StepResult; dump: string } | undefined;

  const actions: LoopActions = {
    stepped({ step, loss }) {
      last = step;
      told.stepped({ step, loss });
    },
    logged: told.logged,
    evaluated: told.evaluated,
    noticed: told.noticed,
    async save(state) {
      const { step, epoch, tokens } = state;
      const bestStep = state.best?.step;
      // That of a step between two saves was never written, and others go as they get old.
      const bestIsKept = bestStep !== undefined && (settings.loadBestModelAtEnd || bestStep === step);
      const bestModelCheckpoint = bestIsKept ? folder.folder(checkpointName(bestStep)).path : null;
      const trainerState = await journal.trainerState({ step, epoch, tokens, bestModelCheckpoint });
      try {
        const path = await saveCheckpoint(
          folder,
          step,
          [
            ...resultFiles(session.runtime, layout, modelOf(plan)),
            optimizerFile(session.runtime, layout, step, options.precision),
            jsonFile(TRAINER_STATE_FILE, trainerState),
            jsonFile(SETTINGS_FILE, plan.recorded),
            jsonFile(STATE_FILE, runStateToJson(state)),
          ],
          { limit: settings.saveTotalLimit, best: settings.loadBestModelAtEnd ? bestStep : undefined, notice: say },
        );
        await told.checkpointSaved({ step, path });
      } catch (error) {
        // A full disk at midnight must not end the run: the next save may find room again.
        if (!(error instanceof UserError)) throw error;
        await told.noticed({ step, kind: "checkpoint", message: error.message });
      }
    },
    async sample(step, signal) {
      const samples = await session.sample(samplesBetween(settings), signal);
      // Of a run that has ended meanwhile nothing more is told.
      if (!signal.aborted) await told.sampled({ step, samples });
    },
    async diverged(result) {
      const name = notFiniteFile(result.step);
      divergence = { result, dump: folder.folder(name).path };
      try {
        await folder.replace(name, `${JSON.stringify(reproduction(result, plan), null, 2)}\n`);
      } catch (error) {
        // A full disk must not hide why the run ends.
        divergence.dump = `no file, since it could not be written (${(error as Error).message})`;
      }
    },
  };
  return {
    actions: whileHeld(check, actions),
    async ended(summary) {
      const { step, reason } = summary;
      if (reason === "interrupted") await told.noticed({ step, kind: reason, message: `stopped after step ${step}` });
      if (reason === "time-limit")
        await told.noticed({ step, kind: reason, message: `--max-hours were over after step ${step}` });
      await told.ended(summary);
      end = reason;
    },
    async broken(error) {
      // What has been told stays so, unless the model that was to come of it could not be saved.
      if (end !== undefined && end !== "finished" && end !== "early-stop") return;
      const message = error instanceof Error ? error.message : String(error);
      if (error instanceof DeviceLostError) await told.noticed({ step: last, kind: "device-lost", message });
      const reason = error instanceof StoppedError ? "interrupted" : "failed";
      const train_runtime = (performance.now() - began) / 1000;
      await told.ended({ step: last, train_loss: Number.NaN, train_runtime, reason });
    },
    failed: () => divergedError(divergence!.result, settings, divergence!.dump),
  };
}

/** What a loop writes, each only while the run is held: a machine that slept may find that another goes on with it. */
function whileHeld(check: () => Promise<void>, actions: LoopActions): LoopActions {
  const held =
    <A extends readonly unknown[]>(act: (...args: A) => void | Promise<void>) =>
    async (...args: A): Promise<void> => {
      await check();
      await act(...args);
    };
  return {
    stepped: actions.stepped,
    logged: held(actions.logged),
    evaluated: held(actions.evaluated),
    noticed: held(actions.noticed),
    save: held(actions.save),
    sample: held(actions.sample),
    diverged: held(actions.diverged),
  };
}

/** Everything that is known before the first step. */
export function describe(session: Session, plan: TrainPlan, resumedFrom: number): RunDescription {
  return {
    settings: plan.recorded,
    config: { ...plan.config },
    adapter: session.runtime.name,
    parameters: parameterCount(plan.config),
    trainableParameters: trainedEntries(plan.layout).reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    maxSteps: plan.options.maxSteps,
    data: { ...plan.data.report },
    deviceBytes: session.deviceBytes,
    tuning: session.runtime.tuning,
    version: VERSION,
    startedAt: new Date().toISOString(),
    resumedFrom,
  };
}

/** What is needed to see a step again: its numbers, the seed, and the texts that it was about. */
function reproduction(result: StepResult, { recorded, source, tokenizer }: TrainPlan): object {
  const { rows } = source.at(result.step - 1);
  const texts = rows.map((row) => row.map(({ ids }) => tokenizer.decode(Array.from(ids))));
  const numbers = { loss: String(result.loss), gradNorm: String(result.gradNorm) };
  return { ...result, ...numbers, settings: recorded, rows: texts };
}
