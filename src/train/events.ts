/** What a run tells those who listen: log files, progress bars, reports. Names inside entries are those of transformers. */

/** Everything that is known before the first step; plain data, fit for JSON. */
export interface RunDescription {
  /** The resolved configuration, by its long names. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly config: Readonly<Record<string, unknown>>;
  readonly adapter: string;
  readonly parameters: number;
  readonly trainableParameters: number;
  readonly maxSteps: number;
  /** What a person should know of the data: records, tokens, how many were cut. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Bytes on the device. */
  readonly deviceBytes: number;
  /** Which kernels were chosen, where they were measured: going on with the same bits needs the same choices. */
  readonly tuning?: unknown;
  /** Of this program. */
  readonly version: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Steps that were done before, where the run goes on from a checkpoint: whatever was logged later is void. */
  readonly resumedFrom: number;
}

/** Some steps, summed up. */
export interface LogEntry {
  readonly step: number;
  /** Mean over the steps since the last entry. */
  readonly loss: number;
  /** L2 before clipping, of the last step. */
  readonly grad_norm: number;
  readonly learning_rate: number;
  readonly epoch: number;
  readonly tokens_per_second: number;
  /** Steps since the last entry whose update was left out since something was not finite. */
  readonly skipped_steps: number;
  /** In mixed precision: what the loss was multiplied by, in the last step. */
  readonly loss_scale?: number;
  /** Real tokens trained on since the run's first step. */
  readonly num_input_tokens_seen: number;
  /** `grad_norm/wte`, `learning_rate/wte`: of each group of parameters, where there are several. */
  readonly [group: `grad_norm/${string}`]: number;
  readonly [group: `learning_rate/${string}`]: number;
}

export interface EvaluationEntry {
  readonly step: number;
  readonly epoch: number;
  /** Mean cross-entropy over all labels of the evaluation data, in nats. */
  readonly eval_loss: number;
  readonly eval_perplexity: number;
  /** Seconds. */
  readonly eval_runtime: number;
  /** Records. */
  readonly eval_samples_per_second?: number;
  /** Batches. */
  readonly eval_steps_per_second?: number;
  /** The lowest loss of the run so far is this one's. */
  readonly best: boolean;
}

/** Continuations of the same prompts, as the model writes them at some step. */
export interface SampleEntry {
  readonly step: number;
  readonly samples: readonly { readonly prompt: string; readonly text: string; readonly ended: boolean }[];
}

/**
 * What a notice is about: a step left out, a loss scale that overflowed, a spike of the loss, a lost device, a checkpoint that
 * could not be saved, a run that went on, and why one ended before its last step.
 */
export const NOTICE_KINDS = [
  "skipped",
  "loss-scale",
  "spike",
  "device-lost",
  "checkpoint",
  "resumed",
  "early-stop",
  "interrupted",
  "time-limit",
] as const;

/** Something that the person should see. */
export interface NoticeEntry {
  readonly step: number;
  readonly kind: (typeof NOTICE_KINDS)[number];
  readonly message: string;
}

/** Why a run's process ended in order: all steps done; a signal; its time; no better evaluations; an error. */
export const END_REASONS = ["finished", "interrupted", "time-limit", "early-stop", "failed"] as const;

export interface RunSummary {
  readonly step: number;
  /** Mean over all steps of this process. */
  readonly train_loss: number;
  /** Seconds of this process. */
  readonly train_runtime: number;
  readonly reason: (typeof END_REASONS)[number];
}

/** What a run is at, which decides what becomes of it when it is told to stop. */
export type RunPhase =
  /** Nothing is lost yet: it ends at once, with the signal's reason. */
  | "preparation"
  /** It stops after its step, and saves. */
  | "training"
  /** It saves its model, and leaves out the rest. */
  | "end";

/** A run that has all it needs. */
export interface PreparedEntry {
  /** Of its folder. */
  readonly path: string;
  /** The most that it will hold on the device. */
  readonly deviceBytes: number;
  /** Of a step. */
  readonly dispatches: number;
}

/** A step that is done. */
export interface StepEntry {
  readonly step: number;
  readonly loss: number;
}

/** A checkpoint, or the model, that has been saved. */
export interface SavedEntry {
  readonly step: number;
  readonly path: string;
}

/**
 * Whoever hears of a run: its files, a terminal, a page. Calls that may give a promise are awaited before the run goes on. What
 * is recorded of a run comes first here; then what is for those who watch.
 */
export interface RunListener {
  started?(description: RunDescription): void | Promise<void>;
  logged?(entry: LogEntry): void | Promise<void>;
  evaluated?(entry: EvaluationEntry): void | Promise<void>;
  sampled?(entry: SampleEntry): void | Promise<void>;
  noticed?(entry: NoticeEntry): void | Promise<void>;
  ended?(summary: RunSummary): void | Promise<void>;

  entered?(phase: RunPhase): void | Promise<void>;
  /** A device is open: a first one, or another in place of one that was lost. */
  opened?(adapter: string): void | Promise<void>;
  /** The run fits, and has its folder. */
  prepared?(entry: PreparedEntry): void | Promise<void>;
  stepped?(entry: StepEntry): void;
  checkpointSaved?(entry: SavedEntry): void | Promise<void>;
  /** Which step's weights became the model, where it is not simply the last one's. */
  bestLoaded?(step: number): void | Promise<void>;
  modelSaved?(entry: SavedEntry): void | Promise<void>;
  /** Samples of the model that was saved. */
  completed?(entry: SampleEntry): void | Promise<void>;
  /** A sentence that a person should read, and that is not part of the run. */
  warned?(message: string): void;
}

/** A listener that records a run. */
export type RunRecorder = Required<
  Pick<RunListener, "started" | "logged" | "evaluated" | "sampled" | "noticed" | "ended">
>;

/** Tells several listeners, one after another. */
export function listeners(all: readonly RunListener[]): Required<RunListener> {
  const tell = async (call: (listener: RunListener) => void | Promise<void> | undefined): Promise<void> => {
    for (const listener of all) await call(listener);
  };
  return {
    started: (description) => tell((listener) => listener.started?.(description)),
    logged: (entry) => tell((listener) => listener.logged?.(entry)),
    evaluated: (entry) => tell((listener) => listener.evaluated?.(entry)),
    sampled: (entry) => tell((listener) => listener.sampled?.(entry)),
    noticed: (entry) => tell((listener) => listener.noticed?.(entry)),
    ended: (summary) => tell((listener) => listener.ended?.(summary)),
    entered: (phase) => tell((listener) => listener.entered?.(phase)),
    opened: (adapter) => tell((listener) => listener.opened?.(adapter)),
    prepared: (entry) => tell((listener) => listener.prepared?.(entry)),
    checkpointSaved: (entry) => tell((listener) => listener.checkpointSaved?.(entry)),
    bestLoaded: (step) => tell((listener) => listener.bestLoaded?.(step)),
    modelSaved: (entry) => tell((listener) => listener.modelSaved?.(entry)),
    completed: (entry) => tell((listener) => listener.completed?.(entry)),
    stepped(entry) {
      for (const listener of all) listener.stepped?.(entry);
    },
    warned(message) {
      for (const listener of all) listener.warned?.(message);
    },
  };
}
