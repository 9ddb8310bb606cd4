/** A run of the worker: new or gone on with, to its end or until it is stopped; told in the protocol's words. */
import { StoppedError } from "../../../src/core/errors.ts";
import { lineListener, parseLines, type RunLine } from "../../../src/report/lines.ts";
import { METRICS_FILE } from "../../../src/run/files.ts";
import { leanJournal } from "../../../src/run/journal.ts";
import type { TrainPlan } from "../../../src/run/plan.ts";
import { alphabetOfRun, isRun } from "../../../src/run/resume.ts";
import { trainRun } from "../../../src/run/train-run.ts";
import type { Folder } from "../../../src/storage/folder.ts";
import { exists, readText } from "../../../src/storage/read.ts";
import type { RunListener } from "../../../src/train/events.ts";
import type { Happening, Outcome } from "../protocol.ts";
import { settingsOf } from "./check.ts";
import type { Devices } from "./devices.ts";
import type { Home } from "./home.ts";
import { judgeOf } from "./judge.ts";
import { planOf } from "./plan.ts";

/** Between two events of steps, since a page draws no faster. */
const STEP_MS = 100;

export interface Training {
  readonly home: Home;
  readonly devices: Devices;
  readonly signal: AbortSignal;
  tell(happening: Happening): void;
}

export async function train(id: string, { home, devices, signal, tell }: Training): Promise<Outcome> {
  const run = home.run(id);
  const { said, base } = await home.about(id);
  const { settings } = settingsOf(said, { base: base?.title });
  const goesOn = await isRun(run);
  const model = await home.base(id);
  const plan = await planOf({
    sources: await home.sources(id),
    settings,
    model,
    tokenizer: goesOn ? await alphabetOfRun(run, settings) : undefined,
    notice: (message) => tell({ event: "warned", message }),
    signal,
  });
  try {
    await home.change(id, { maxSteps: plan.options.maxSteps, kept: false });
    const result = await trainRun(plan, {
      home: {
        goesOn: goesOn ? run : undefined,
        begin: async () => run,
        place: { path: run.path, free: () => run.free() },
      },
      openRuntime: (wanted) => devices.open(wanted),
      signal,
      listeners: [listenerOf(id, run, plan, tell)],
      mayBeFinished: true,
      budget: devices.budget,
      writer: () => ({ name: id, host: "browser", process: 0 }),
      journal: leanJournal,
    });
    if (result.reason === "already-finished") return { id, reason: result.reason, step: plan.options.maxSteps };
    return { id, reason: result.reason, step: result.summary.step };
  } catch (error) {
    if (error instanceof StoppedError) return { id, reason: "withdrawn", step: 0 };
    throw error;
  } finally {
    await plan.data.close();
    await model?.close();
  }
}

function listenerOf(id: string, run: Folder, plan: TrainPlan, tell: Training["tell"]): RunListener {
  const judge = judgeOf(plan);
  const { maxSteps } = plan.options;
  let told = 0;
  // A log that cannot be read ends no run.
  const earlierLines = (): Promise<RunLine[]> =>
    linesOf(run).catch((error: Error) => {
      tell({ event: "warned", message: error.message });
      return [];
    });
  return {
    ...lineListener(async (line) => {
      // The journal has dropped by now what is void, and has this line already.
      if (line.kind === "start") tell({ event: "begun", id, maxSteps, lines: await earlierLines() });
      else tell({ event: "line", line });
    }),
    async sampled({ step, samples }) {
      tell({ event: "samples", step, samples: judge(samples) });
    },
    async completed({ step, samples }) {
      tell({ event: "samples", step, samples: judge(samples) });
    },
    entered: (phase) => tell({ event: "phase", phase }),
    stepped({ step, loss }) {
      const now = performance.now();
      if (now - told < STEP_MS && step < maxSteps) return;
      told = now;
      tell({ event: "step", step, loss });
    },
    checkpointSaved: ({ step }) => tell({ event: "saved", step }),
    warned: (message) => tell({ event: "warned", message }),
  };
}

/** What a run has logged so far. */
export async function linesOf(run: Folder): Promise<RunLine[]> {
  if (!(await exists(run, METRICS_FILE))) return [];
  return parseLines(await readText(run, METRICS_FILE), METRICS_FILE).lines;
}
