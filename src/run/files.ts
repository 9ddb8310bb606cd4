/** What a run's folder holds besides its checkpoints; docs/runs.md lists it. */

/** What the run is: settings, sizes, data. */
export const RUN_FILE = "run.json";
/** Names the process that is at work on the run. */
export const LOCK_FILE = "lock";
export const METRICS_FILE = "metrics.jsonl";
export const REPORT_FILE = "report.html";
export const TRAINER_STATE_FILE = "trainer_state.json";
export const TENSORBOARD_FOLDER = "tensorboard";
/** What a step that was not finite was about, where a run has ended for such steps. */
export const notFiniteFile = (step: number): string => `not-finite-step-${step}.json`;
/** The step of such a file; undefined for any other name. */
export function notFiniteStep(name: string): number | undefined {
  const [, step] = /^not-finite-step-(\d+)\.json$/.exec(name) ?? [];
  return step === undefined ? undefined : Number(step);
}
/** The folder that holds what came out. */
export const MODEL_FOLDER = "model";
