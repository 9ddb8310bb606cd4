/** What the page knows, and how its parts change that, have the worker called, and say what went wrong. */
import type { TemplateResult } from "lit-html";
import type { RunPhase } from "../../src/train/events.ts";
import { CallFailed, WorkerEnded } from "./client.ts";
import type { RunLog } from "./log.ts";
import type {
  Answer,
  Base,
  CallName,
  Greeting,
  Happening,
  Input,
  Judged,
  PromptRead,
  Prospect,
  Sampled,
  SampleWish,
  ShownToken,
  StoredRun,
  Wish,
} from "./protocol.ts";
import { type Choice, FIRST_CHOICE } from "./settings.ts";
import type { Shape } from "./shape.ts";
import type { Elsewhere } from "./tabs.ts";
import { EN, type Texts } from "./texts/en.ts";
import { onPage } from "./texts/messages.ts";

/** A run that is looked at. */
export interface Shown {
  readonly id: string;
  readonly title: string;
  readonly maxSteps: number;
  readonly log: RunLog;
  readonly samples?: { readonly step: number; readonly samples: readonly Judged[] } | undefined;
}

/** The run that trains in this tab. */
export interface Active {
  /** Once it has its place. */
  readonly id?: string | undefined;
  readonly title: string;
  readonly phase: RunPhase;
  readonly step: number;
  readonly maxSteps: number;
  readonly loss?: number | undefined;
  readonly stopping: boolean;
  /** Seconds, as they were at the first step since it trains here. */
  readonly since?: { readonly step: number; readonly at: number } | undefined;
}

export type SampleForm = Omit<SampleWish, "id">;
export type NumberField = Exclude<keyof SampleForm, "prompt">;

export interface State {
  readonly texts: Texts;
  readonly greeting?: Greeting | undefined;
  /** The worker did not start. */
  readonly dead?: boolean;
  readonly choice: Choice;
  readonly inputs: readonly Input[];
  /** What its data are called; see `titleOf`. */
  readonly title: string;
  /** They have a name in each language. */
  readonly called?: "example" | "pasted" | undefined;
  /** What they look like, where they are read as something else. */
  readonly shape?: Shape | undefined;
  /** The stored run that was set up again, or the model that was opened and is trained on from. */
  readonly setUpAs?: { readonly title: string; readonly trained: boolean } | undefined;
  /** What is trained on from; undefined: from scratch. */
  readonly base?: Base | undefined;
  readonly dropping: boolean;
  readonly looking: boolean;
  readonly prospect?: Prospect | undefined;
  /** What its steps take, once that was asked for. */
  readonly measured?: Answer<"measure"> | "measuring" | undefined;
  /** Why such a run cannot be. */
  readonly refusal?: string | undefined;
  readonly runs: readonly StoredRun[];
  readonly elsewhere: ReadonlyMap<string, Elsewhere>;
  readonly active?: Active | undefined;
  readonly shown?: Shown | undefined;
  /** Other runs, drawn with the one that is shown. */
  readonly compared: ReadonlyMap<string, Shown>;
  readonly notices: readonly string[];
  /** What went wrong, one line each. */
  readonly alerts: readonly string[];
  /** What became of the last run. */
  readonly outcome?: keyof Texts["outcome"] | undefined;
  readonly form: SampleForm;
  /** How much of its prompt the model of a run sees, as it was a moment ago. */
  readonly promptRead?: (PromptRead & { readonly id: string }) | undefined;
  /** What stands in its fields and is no number. */
  readonly unread: Readonly<Partial<Record<NumberField, string>>>;
  readonly sampling: boolean;
  readonly results?: readonly Sampled[] | undefined;
  /** The samples that are being written, as far as they are. */
  readonly coming?: readonly (readonly ShownToken[])[] | undefined;
  /** The run whose deletion has to be said twice. */
  readonly removing?: string | undefined;
  /** Loaded when somebody opens it. */
  readonly inside?: Inside | undefined;
}

/** A part of the page that has a state of its own. */
export interface Inside {
  view(): TemplateResult;
  hear(happening: Happening): void;
}

export interface Store {
  readonly state: State;
  /** `lazily`: nobody waits for it. */
  set(change: Partial<State>, lazily?: boolean): void;
  /** What goes wrong is a line on the page, and not the end of it. `kind`: what went wrong with the last attempt of it is past. */
  attempt(work: () => Promise<void>, kind?: "run" | "samples"): Promise<void>;
  alert(message: string): void;
  dismiss(alert: string): void;
  /** What the library says, in the page's language where that is known. */
  told(error: Error): string;
  call<K extends CallName>(name: K, wish: Wish<K>): Promise<Answer<K>>;
}

/** A part of the page did not come. */
class NotLoaded extends Error {
  override name = "NotLoaded";
}

/** A part of the page that is loaded when it is wanted; browsers say in words of their own that it did not come. */
export async function part<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch {
    throw new NotLoaded();
  }
}

/** Whether nobody need be told: the worker that ended is told of once, by itself, and who has something stopped knows it. */
export function isUntold(error: unknown): boolean {
  return error instanceof WorkerEnded || (error instanceof CallFailed && error.kind === "stopped");
}

const FIRST: State = {
  texts: EN,
  choice: FIRST_CHOICE,
  inputs: [],
  title: "",
  dropping: false,
  looking: false,
  runs: [],
  elsewhere: new Map(),
  compared: new Map(),
  notices: [],
  alerts: [],
  form: {
    prompt: "",
    count: 1,
    temperature: 0.8,
    topK: 40,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    seed: 0,
    maxNewTokens: 64,
  },
  unread: {},
  sampling: false,
};

/** `draw`: the state has changed. */
export function createStore(draw: (lazily: boolean) => void, call: Store["call"]): Store {
  let state: State = FIRST;
  const failed = new Map<string, string>();
  const store: Store = {
    get state() {
      return state;
    },
    set(change, lazily = false) {
      state = { ...state, ...change };
      draw(lazily);
    },
    async attempt(work, kind) {
      const before = kind && failed.get(kind);
      if (before !== undefined) store.dismiss(before);
      try {
        await work();
      } catch (error) {
        if (isUntold(error)) return;
        const message = error instanceof NotLoaded ? state.texts.notLoaded : store.told(error as Error);
        if (kind) failed.set(kind, message);
        store.alert(message);
      }
    },
    alert(message) {
      if (!state.alerts.includes(message)) store.set({ alerts: [...state.alerts, message] });
    },
    dismiss: (alert) => store.set({ alerts: state.alerts.filter((one) => one !== alert) }),
    told({ message }) {
      const { messages, inEnglish } = state.texts;
      return onPage(messages.translate(message) ?? `${message} ${inEnglish}`.trim());
    },
    call,
  };
  return store;
}

/** What the data of the run that is set up are called. */
export function titleOf({ called, title, texts }: State): string {
  return called === undefined ? title : texts[called];
}

export function without<T>(map: ReadonlyMap<string, T>, id: string): ReadonlyMap<string, T> {
  const rest = new Map(map);
  rest.delete(id);
  return rest;
}
