/** What the page and its worker say to each other: calls with one answer each, and events of what goes on meanwhile. */
import type { ErrorKind } from "../../src/core/errors.ts";
import type { SimilarToken } from "../../src/library/model.ts";
import type { RunLine } from "../../src/report/lines.ts";
import type { PlanFacts } from "../../src/report/plan-words.ts";
import type { StepProfile } from "../../src/run/step-profile.ts";
import type { RunPhase } from "../../src/train/events.ts";
import type { OpReport } from "../../src/verify/check-op.ts";
import type { Check } from "../../src/verify/fixture.ts";

/** A text, or a file that was chosen. */
export interface Input {
  /** For messages, and for its extension. */
  readonly name: string;
  readonly blob: Blob;
  /** Whatever has the same has the same bytes: a blob is another one whenever it is sent. */
  readonly content?: string | undefined;
}

/** A model that was opened, to train on from it. */
export interface Base {
  readonly title: string;
  /** Of a Hugging Face directory; or one zip of them, or one safetensors file. */
  readonly files: readonly Input[];
}

/** Settings that were said, by their names in a file: `learning_rate`. */
export type SaidSettings = Readonly<Record<string, unknown>>;

export type DeviceWish = "auto" | "webgpu" | "wasm";

export interface DeviceInfo {
  readonly kind: "webgpu" | "wasm";
  /** As an adapter calls itself. */
  readonly name: string;
  /** Of the executor on the CPU. */
  readonly threads: number;
  /** Why there is no GPU, as the browser or the page says it. */
  readonly why?: string;
}

export interface StorageInfo {
  readonly kind: "opfs" | "memory";
  /** Why nothing is kept. */
  readonly why?: string;
}

export interface Greeting {
  readonly device: DeviceInfo;
  readonly storage: StorageInfo;
}

export interface RunWish {
  readonly inputs: readonly Input[];
  readonly said: SaidSettings;
  readonly base: Base | undefined;
}

/** What a run would be. Numbers alone: words are the page's. */
export interface Prospect extends PlanFacts {
  /** The most on the device, as predicted. */
  readonly deviceBytes: number;
  /** What a person should know of data and settings, one sentence each. */
  readonly notices: readonly string[];
}

/** How a run stands by what is stored of it. */
export type StoredStatus = "running" | "paused" | "diverged" | "finished" | "kept" | "opened" | "broken";

export interface StoredRun {
  readonly id: string;
  readonly title: string;
  /** ISO 8601. */
  readonly created: string;
  readonly status: StoredStatus;
  /** Of its newest checkpoint or its end. */
  readonly step: number;
  readonly maxSteps: number;
  /** Of all its files. */
  readonly bytes: number;
  /** Whether it has something to sample from. */
  readonly model: boolean;
  readonly said: SaidSettings;
  /** The step that was not finite and ended it, of a run that has diverged. */
  readonly notFinite?: number | undefined;
}

/** A text of the model, with what a person would ask of it. */
export interface Judged {
  readonly prompt: string;
  readonly text: string;
  /** The model ended it. */
  readonly ended: boolean;
  /** Not one of the data; undefined where nobody knows. */
  readonly fresh?: boolean;
  /** Of data that are e-mail addresses: whether it is one. */
  readonly wellFormed?: boolean;
}

/** A token that the model chose, or might have chosen. */
export interface Chance {
  /** What it stands for; of the token that ends a text, nothing. */
  readonly text: string;
  /** It ends the text. */
  readonly end: boolean;
  /** Under the model, from 0 to 1, before any setting changed it. */
  readonly probability: number;
}

/** A token of a sample. */
export interface ShownToken extends Chance {
  /** The likeliest others at its place. */
  readonly rivals: readonly Chance[];
}

/** A sample that was asked for on the page. */
export interface Sampled extends Judged {
  /** Their texts together are the sample's, and then may come the one that ended it. */
  readonly tokens: readonly ShownToken[];
}

export interface SampleWish {
  readonly id: string;
  readonly prompt: string;
  readonly count: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  /** 1: none. */
  readonly repetitionPenalty: number;
  readonly seed: number;
  readonly maxNewTokens: number;
}

/** How much of a prompt is seen. In tokens, without those that every text starts with. */
export interface PromptRead {
  readonly tokens: number;
  /** Of its end, where the context has no room for all of it. */
  readonly seen: number;
  /** Of the model. */
  readonly context: number;
}

/** What the worker computes on, all that is known of it. */
export interface AdapterReport {
  readonly device: DeviceInfo;
  /** As the browser tells it: vendor, architecture, device, description, sizes of subgroups. */
  readonly info?: Readonly<Record<string, unknown>>;
  /** Of the device, by WebGPU's names. */
  readonly limits?: Readonly<Record<string, number>>;
  readonly features?: readonly string[];
  /** What kernels are chosen by. */
  readonly traits: Readonly<Record<string, unknown>>;
  readonly browser: {
    readonly userAgent: string;
    readonly cores: number;
    /** In GiB, where the browser tells it. */
    readonly memory?: number;
    readonly crossOriginIsolated: boolean;
  };
}

/** The step of the run that is set up, op by op. */
export interface StepReport extends StepProfile {
  readonly facts: PlanFacts;
  readonly seconds: number;
}

/** Where the tokens of a text look, in all layers and heads. */
export interface AttentionReport {
  readonly text: string;
  readonly tokens: readonly string[];
  readonly heads: number;
  /** [H, T, T] of each layer. */
  readonly layers: readonly Float32Array[];
}

export interface NearestReport {
  readonly token: string;
  readonly near: readonly SimilarToken[];
}

/** Known results, as this device has them. */
export interface VerifyReport {
  readonly fixture: string;
  readonly checks: readonly Check[];
  readonly seconds: number;
}

export interface GradcheckReport {
  readonly ops: readonly OpReport[];
  /** A device without f16 leaves cases out. */
  readonly f16: boolean;
  readonly seconds: number;
}

export interface Outcome {
  readonly id: string;
  readonly reason: "finished" | "interrupted" | "early-stop" | "time-limit" | "already-finished" | "withdrawn";
  readonly step: number;
}

/** What the page may ask for. */
export interface Calls {
  /** `lock`: held by the worker until it ends, so that the page learns of that. */
  greet(wish: { readonly device: DeviceWish; readonly lock: string }): Greeting;
  /** Fails where such settings cannot be, of a new model or of one that is trained on from. */
  check(wish: { readonly said: SaidSettings; readonly tuning: boolean }): void;
  /** Keeps a model as it is, to sample it. */
  open(wish: Base): { readonly id: string };
  prospect(wish: RunWish): Prospect;
  /** Runs a few steps that nothing is kept of; gives the seconds of one, the median without the first, which compiles. */
  measure(wish: RunWish): { readonly secondsPerStep: number; readonly steps: number };
  /** Trains a new run to its end, or until it is stopped. */
  train(wish: RunWish & { readonly title: string }): Outcome;
  /** Goes on with a stored one. */
  resume(wish: { readonly id: string }): Outcome;
  /** Has the run that trains stop after its step, and save. `keep`: it is then done, with its best model. */
  stop(wish: { readonly keep: boolean }): void;
  list(wish: null): readonly StoredRun[];
  /** What a run's log says. */
  lines(wish: { readonly id: string }): readonly RunLine[];
  /** What a stored run was asked for: its data, settings and the model that it trained on from. Of a model that was opened, the model alone. */
  asked(wish: { readonly id: string }): RunWish & { readonly title: string };
  remove(wish: { readonly id: string }): void;
  zip(wish: { readonly id: string }): Blob;
  /** What is known of the step that was not finite, as JSON. */
  notFinite(wish: { readonly id: string; readonly step: number }): Blob;
  /** What samples would see of a prompt. */
  prompt(wish: Pick<SampleWish, "id" | "prompt" | "maxNewTokens">): PromptRead;
  /** Several at once; their tokens are told as they come, by "tokens" events. */
  sample(wish: SampleWish): readonly Sampled[];
  /** Ends the sampling that goes on. */
  hush(wish: null): void;
  adapter(wish: null): AdapterReport;
  /** Times the ops of a step of such a run, on the worker's device. */
  profile(wish: RunWish): StepReport;
  /** Of a stored run's model. */
  attention(wish: { readonly id: string; readonly text: string }): AttentionReport;
  /** The tokens whose rows of the embedding are most like one's. */
  nearest(wish: { readonly id: string; readonly token: string; readonly count: number }): NearestReport;
  verify(wish: null): VerifyReport;
  /** Checks every op; each is told by a "checked" event. */
  gradcheck(wish: null): GradcheckReport;
  /** Ends the profile or the check that goes on. */
  endCheck(wish: null): void;
}

export type CallName = keyof Calls;
export type Wish<K extends CallName> = Parameters<Calls[K]>[0];
export type Answer<K extends CallName> = ReturnType<Calls[K]>;

/** From the page. */
export type Request = {
  [K in CallName]: { readonly call: number; readonly name: K; readonly wish: Wish<K> };
}[CallName];

export interface Failure {
  readonly message: string;
  /** "bug": nobody foresaw it. */
  readonly kind: ErrorKind | "stopped" | "bug";
}

/** What the worker tells unasked. */
export type Happening =
  /** A run has its place; `lines`: what it has logged before. */
  | { readonly event: "begun"; readonly id: string; readonly maxSteps: number; readonly lines: readonly RunLine[] }
  | { readonly event: "phase"; readonly phase: RunPhase }
  | { readonly event: "step"; readonly step: number; readonly loss: number }
  | { readonly event: "line"; readonly line: RunLine }
  | { readonly event: "samples"; readonly step: number; readonly samples: readonly Judged[] }
  | { readonly event: "saved"; readonly step: number }
  | { readonly event: "checked"; readonly done: number; readonly all: number; readonly report: OpReport }
  | { readonly event: "warned"; readonly message: string }
  /** More of the samples that are asked for, each by its number. */
  | { readonly event: "tokens"; readonly tokens: readonly (ShownToken & { readonly sample: number })[] };

/** From the worker. */
export type Message =
  | { readonly answer: number; readonly value: unknown }
  | { readonly answer: number; readonly failure: Failure }
  | Happening;
