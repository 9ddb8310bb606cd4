import { join } from "node:path";
import pc from "picocolors";
import { DeviceLostError, UserError } from "../../core/errors.ts";
import { sizeOf } from "../../core/shape.ts";
import { parameterCount } from "../../model/config.ts";
import { trainedEntries } from "../../model/parameters.ts";
import { writeWholeFile } from "../../platform/node/whole-file.ts";
import { logHistoryOf } from "../../report/trainer-state.ts";
import { jsonFile, optimizerFile, resultFiles } from "../../train/checkpoint.ts";
import { listeners, type RunDescription, type RunSummary } from "../../train/events.ts";
import {
  type BestEvaluation,
  type BestKeeper,
  createBestKeeper,
  createSpikeDetector,
  type SpikeDetector,
} from "../../train/health.ts";
import type { StepResult } from "../../train/trainer.ts";
import { checkpointPath, type SavedCheckpoint, saveCheckpoint } from "../checkpoints.ts";
import { Interrupted } from "../interrupt.ts";
import { createPace } from "../progress.ts";
import { createRunFiles, TRAINER_STATE_FILE } from "../run-files.ts";
import { settingsToJson } from "../settings/file.ts";
import { withAbsolutePaths } from "../settings/paths.ts";
import { terminal } from "../terminal.ts";
import { version } from "../version.ts";
import { eventListener } from "./json.ts";
import { divergedError, type LoopActions, type Progress } from "./loop.ts";
import { modelOf, type TrainPlan } from "./plan.ts";
import { formatLog } from "./print.ts";
import { samplesBetween } from "./sample.ts";
import type { Session } from "./session.ts";

/** The file of a checkpoint that keeps what a loop counts. */
const LOOP_FILE = "loop.json";
const SETTINGS_FILE = "training_args.json";

interface LoopState {
  readonly progress: Progress;
  readonly best: { readonly best?: BestEvaluation; readonly waited: number };
}

/** Everything that hears of a loop: the terminal, the run's files, its checkpoints. */
export interface Recorder {
  readonly actions: LoopActions;
  readonly best: BestKeeper;
  readonly spikes: SpikeDetector;
  readonly restored: Progress | undefined;
  ended(summary: RunSummary): Promise<void>;
  /** Tells the run's files that it ends by an error, at the step that it had come to. */
  broken(error: unknown): Promise<void>;
  /** Throws what the person should hear of a run that diverged. */
  failed(): never;
  /** Takes the progress bar away. */
  stop(): void;
}

/** `lost`: what was said of the device that was lost before, where this session goes on for it. */
export async function createRecorder(
  session: Session,
  plan: TrainPlan,
  directory: string,
  checkpoint: SavedCheckpoint | undefined,
  lost?: string,
): Promise<Recorder> {
  const { settings, options, config, layout, source } = plan;
  const { maxSteps } = options;
  const state = checkpoint?.json(LOOP_FILE) as LoopState | undefined;
  const history = checkpoint ? logHistoryOf(checkpoint.json(TRAINER_STATE_FILE), TRAINER_STATE_FILE) : [];
  const best = createBestKeeper(settings.earlyStoppingThreshold, state?.best);
  const first = checkpoint?.step ?? 0;
  const count = (done: number): string => `${done}/${maxSteps}`;
  const bar = terminal.bar({ total: maxSteps, count, note: [{ text: "compiling", rank: 1 }] });
  const pace = createPace(maxSteps);
  const say = terminal.warn;
  const files = createRunFiles(
    directory,
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
  const told = listeners([files, eventListener(directory)]);
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
      pace.add(step, performance.now() / 1000);
      bar.update(step, [
        { text: `${pace.remaining()} left`, rank: 1 },
        { text: `loss ${loss.toFixed(4)}`, rank: 2 },
      ]);
    },
    async logged(entry) {
      await told.logged(entry);
      terminal.say(formatLog(entry, maxSteps, terminal.columns === undefined ? pace.remaining() : undefined));
    },
    async evaluated(entry) {
      await told.evaluated(entry);
      terminal.say([
        `step ${entry.step}`,
        `eval_loss ${entry.eval_loss.toFixed(4)}`,
        { text: `perplexity ${entry.eval_perplexity.toFixed(2)}`, rank: 2 },
        ...(entry.best ? [{ text: pc.green("best so far"), rank: 1 }] : []),
      ]);
    },
    async noticed(entry) {
      say(entry.message);
      await told.noticed(entry);
    },
    async save(step, counted) {
      const bestStep = best.best?.step;
      const bestModelCheckpoint = bestStep === undefined ? undefined : checkpointPath(directory, bestStep);
      const loop: LoopState = {
        progress: counted,
        best: { waited: best.waited, ...(best.best ? { best: best.best } : {}) },
      };
      const place = { step, epoch: counted.epoch, tokens: counted.tokens, bestModelCheckpoint };
      try {
        const path = await saveCheckpoint(
          directory,
          step,
          [
            ...resultFiles(session.runtime, layout, modelOf(plan)),
            optimizerFile(session.runtime, layout, step, options.precision),
            jsonFile(TRAINER_STATE_FILE, files.trainerState(place)),
            jsonFile(SETTINGS_FILE, settingsToJson(withAbsolutePaths(settings))),
            jsonFile(LOOP_FILE, loop),
          ],
          { limit: settings.saveTotalLimit, best: settings.loadBestModelAtEnd ? bestStep : undefined, notice: say },
        );
        terminal.event({ kind: "checkpoint", time: new Date().toISOString(), step, path });
      } catch (error) {
        // A full disk at midnight must not end the run: the next save may find room again.
        if (!(error instanceof UserError)) throw error;
        await actions.noticed({ step, kind: "checkpoint", message: error.message });
      }
    },
    async sample(step, signal) {
      const samples = await session.sample(samplesBetween(settings), signal);
      // Of a run that has ended meanwhile nothing more is told.
      if (!signal.aborted) await told.sampled({ step, samples });
    },
    async diverged(result) {
      const dump = join(directory, `not-finite-step-${result.step}.json`);
      divergence = { result, dump };
      try {
        writeWholeFile(dump, `${JSON.stringify(reproduction(result, plan), null, 2)}\n`);
      } catch (error) {
        // A full disk must not hide why the run ends.
        divergence.dump = `no file, since it could not be written (${(error as Error).message})`;
      }
    },
  };
  return {
    actions,
    best,
    spikes: createSpikeDetector(settings.spikeThreshold),
    restored: state?.progress,
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
      const reason = error instanceof Interrupted ? "interrupted" : "failed";
      const train_runtime = (performance.now() - began) / 1000;
      await told.ended({ step: last, train_loss: Number.NaN, train_runtime, reason });
    },
    failed: () => divergedError(divergence!.result, settings, divergence!.dump),
    stop: bar.stop,
  };
}

/** Everything that is known before the first step. */
export function describe(session: Session, plan: TrainPlan, resumedFrom: number): RunDescription {
  const parameters = parameterCount(plan.config);
  return {
    settings: settingsToJson(withAbsolutePaths(plan.settings)),
    config: { ...plan.config },
    adapter: session.runtime.name,
    parameters,
    trainableParameters: trainedEntries(plan.layout).reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    maxSteps: plan.options.maxSteps,
    data: { ...plan.data.report },
    deviceBytes: session.deviceBytes,
    tuning: session.runtime.tuning,
    version: version(),
    startedAt: new Date().toISOString(),
    resumedFrom,
  };
}

/** What is needed to see a step again: its numbers, the seed, and the texts that it was about. */
function reproduction(result: StepResult, { settings, source, tokenizer }: TrainPlan): object {
  const { rows } = source.at(result.step - 1);
  const texts = rows.map((row) => row.map(({ ids }) => tokenizer.decode(Array.from(ids))));
  const numbers = { loss: String(result.loss), gradNorm: String(result.gradNorm) };
  return { ...result, ...numbers, settings: settingsToJson(withAbsolutePaths(settings)), rows: texts };
}
