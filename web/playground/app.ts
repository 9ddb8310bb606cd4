/** The page's state, and all that can be done with it. Views draw the one and call the other. */
import type { TemplateResult } from "lit-html";
import { duration } from "../../src/core/units.ts";
import { notFiniteFile } from "../../src/run/files.ts";
import type { RunPhase } from "../../src/train/events.ts";
import { CallFailed, type Client, startWorker, WorkerEnded } from "./client.ts";
import { logOf, type RunLog, withLine } from "./log.ts";
import { offer } from "./offer.ts";
import type {
  Answer,
  Base,
  CallName,
  DeviceWish,
  Greeting,
  Happening,
  Input,
  Judged,
  Outcome,
  Prospect,
  SaidSettings,
  Sampled,
  SampleWish,
  ShownToken,
  StoredRun,
  Wish,
} from "./protocol.ts";
import { type Choice, FIRST_CHOICE, fromFragment, type Size, saidBy, toFragment, waiting } from "./settings.ts";
import { type Elsewhere, openTabs } from "./tabs.ts";
import { EN, type Texts } from "./texts/en.ts";
import { withoutFlags } from "./texts/messages.ts";

/** English comes with the page, others when they are wanted. */
export const LANGUAGES = [
  { locale: "en", name: "English", load: async (): Promise<Texts> => EN },
  { locale: "es", name: "Español", load: (): Promise<Texts> => import("./texts/es.ts").then(({ ES }) => ES) },
] as const;

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
  readonly title: string;
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

export interface App {
  readonly state: State;
  /** What would be gone with the tab: a run that goes on, or a model that nobody has taken, where nothing is kept. */
  readonly unsaved: boolean;
  setLanguage(locale: string): void;
  useExample(): void;
  useText(text: string): void;
  useFiles(files: readonly File[]): void;
  /** Files that were dropped: data, or a model. */
  useDropped(files: readonly File[]): void;
  useModel(files: readonly File[]): void;
  fromScratch(): void;
  /** Keeps the model that was opened, to sample it. */
  keepModel(): Promise<void>;
  setDropping(dropping: boolean): void;
  setSize(size: Size): void;
  setSetting(name: string, value: unknown): void;
  setDevice(device: DeviceWish): void;
  resetSettings(): void;
  /** Has a few steps made, to say how long the run will take. */
  measure(): Promise<void>;
  train(): Promise<void>;
  resume(id: string): Promise<void>;
  stop(keep: boolean): void;
  show(id: string): Promise<void>;
  compare(id: string, on: boolean): Promise<void>;
  download(id: string): Promise<void>;
  /** Gives away what is known of the step for which a run has diverged. */
  downloadNotFinite(run: StoredRun): Promise<void>;
  remove(id: string): Promise<void>;
  /** Its deletion has not been said twice. */
  spare(id: string): void;
  setForm(change: Partial<SampleForm>): void;
  setUnread(name: NumberField, text: string): void;
  sample(count?: number): Promise<void>;
  hush(): void;
  dismiss(alert: string): void;
  openInside(): Promise<void>;
  /** What parts of the page with a state of their own need. */
  call<K extends CallName>(name: K, wish: Wish<K>): Promise<Answer<K>>;
  redraw(): void;
}

/** A part of the page did not come. */
class NotLoaded extends Error {
  override name = "NotLoaded";
}

const LOOK_MS = 250;
/** Between two looks whether a run still trains in another tab. */
const WATCH_MS = 2000;
const MOST_NOTICES = 50;
/** A text that is pasted has no name; its records are lines. */
const PASTED = "pasted.txt";
/** Of a file that is no data. */
const MODEL_NAME = /\.(zip|safetensors)$/i;

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

/** `draw`: the state has changed; `lazily`: nobody waits for it. */
export function openApp(draw: (app: App, lazily: boolean) => void): App {
  let state: State = FIRST;
  let client!: Client;
  /** Runs whose models were downloaded. */
  const taken = new Set<string>();
  let lookTimer: ReturnType<typeof setTimeout> | undefined;
  let watchTimer: ReturnType<typeof setTimeout> | undefined;
  const example = import("./example.ts").then(({ EXAMPLE }) => EXAMPLE);
  const tabs = openTabs(hearTab);

  function set(change: Partial<State>, lazily = false): void {
    state = { ...state, ...change };
    draw(app, lazily);
  }

  async function speak(locale: string): Promise<void> {
    const language = LANGUAGES.find((one) => one.locale === locale) ?? LANGUAGES[0];
    set({ texts: await part(language.load) });
  }

  const t = (): Texts => state.texts;

  /** A part of the page that is loaded when it is wanted; browsers say in words of their own that it did not come. */
  async function part<T>(load: () => Promise<T>): Promise<T> {
    try {
      return await load();
    } catch {
      throw new NotLoaded();
    }
  }

  /** What goes wrong is a line on the page, and not the end of it. */
  async function attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // A worker that ended is told of once, by itself.
      if (error instanceof WorkerEnded || (error instanceof CallFailed && error.kind === "stopped")) return;
      alert(error instanceof NotLoaded ? t().notLoaded : told(error as Error));
    }
  }

  /** What the library says, in the page's language where that is known. */
  function told({ message }: Error): string {
    return withoutFlags(t().messages.translate(message) ?? `${message} ${t().inEnglish}`.trim());
  }

  function alert(message: string): void {
    if (!state.alerts.includes(message)) set({ alerts: [...state.alerts, message] });
  }

  /** A device that cannot be had is told of, and what is best is computed on. */
  async function greet(): Promise<void> {
    const lock = `webgpu-gpt2 playground: worker ${crypto.randomUUID()}`;
    (client as Client | undefined)?.close();
    const mine = startWorker(hear, lock);
    client = mine;
    void mine.ended.then(() => {
      if (client === mine) void restart();
    });
    await attempt(async () => {
      set({ greeting: await client.call("greet", { device: state.choice.device, lock }), dead: false });
      await refresh();
    });
    if (state.greeting || state.choice.device === "auto") return;
    set({ choice: { ...state.choice, device: "auto" } });
    await greet();
  }

  async function restart(): Promise<void> {
    const { active, greeting } = state;
    const kept = greeting?.storage.kind === "opfs";
    set({ active: undefined, sampling: false, coming: undefined });
    // One that never answered is not started again: it would end again.
    if (!greeting) return set({ dead: true });
    alert(active ? (kept ? t().crashed : t().crashedMemory) : t().crashedIdle);
    if (!kept) set({ shown: undefined, compared: new Map() });
    await greet();
    look();
  }

  /** Nothing is shown of a run that is no more. */
  function forget(id: string): void {
    set({
      compared: without(state.compared, id),
      ...(state.shown?.id === id ? { shown: undefined, results: undefined, outcome: undefined } : {}),
    });
  }

  async function refresh(): Promise<void> {
    const runs = await client.call("list", null);
    const running = new Set(runs.flatMap(({ id, status }) => (status === "running" ? [id] : [])));
    // A tab that was closed has said nothing of it.
    const elsewhere = new Map([...state.elsewhere].filter(([id]) => running.has(id)));
    // Another tab may have deleted what is looked at here.
    const lost = state.runs.filter(({ id }) => id !== state.active?.id && !runs.some((run) => run.id === id));
    for (const { id } of lost) forget(id);
    set({ runs, elsewhere });
    if (state.active?.id !== undefined) running.delete(state.active.id);
    clearTimeout(watchTimer);
    if (running.size > 0) watchTimer = setTimeout(() => void attempt(refresh), WATCH_MS);
    const interrupted = runs.find(({ status }) => status === "paused" || status === "diverged");
    if (!state.shown && !state.active && interrupted) await app.show(interrupted.id);
  }

  function hear(happening: Happening): void {
    state.inside?.hear(happening);
    const { active, shown } = state;
    switch (happening.event) {
      case "begun": {
        const { id, maxSteps, lines } = happening;
        const title = active?.title ?? id;
        const before = shown?.id === id ? shown : undefined;
        const step = lines.reduce((most, line) => Math.max(most, line.step), 0);
        set({
          shown: { id, title, maxSteps, log: logOf(lines, maxSteps), samples: before?.samples },
          compared: without(state.compared, id),
          ...(active ? { active: { ...active, id, maxSteps, step, since: undefined } } : {}),
        });
        void attempt(refresh);
        return;
      }
      case "phase":
        if (active) set({ active: { ...active, phase: happening.phase } });
        return;
      case "step": {
        if (!active) return;
        const at = performance.now() / 1000;
        const { step, loss } = happening;
        const since = active.since ?? { step, at };
        set({ active: { ...active, step, loss, since } }, true);
        if (active.id !== undefined)
          tabs.tell({ id: active.id, title: active.title, step, maxSteps: active.maxSteps, over: false });
        return;
      }
      case "line":
        if (shown && shown.id === active?.id)
          set({ shown: { ...shown, log: withLine(shown.log, happening.line, shown.maxSteps) } }, true);
        return;
      case "samples": {
        const { step, samples } = happening;
        if (shown && shown.id === active?.id) set({ shown: { ...shown, samples: { step, samples } } });
        return;
      }
      case "saved":
        void attempt(refresh);
        return;
      case "warned":
        set({ notices: [...state.notices, happening.message].slice(-MOST_NOTICES) });
        return;
      case "tokens": {
        const coming = [...(state.coming ?? [])];
        for (const { sample, ...token } of happening.tokens) coming[sample] = [...(coming[sample] ?? []), token];
        set({ coming });
      }
    }
  }

  function hearTab(run: Elsewhere): void {
    const known = state.elsewhere.has(run.id);
    const elsewhere = new Map(state.elsewhere);
    if (run.over) elsewhere.delete(run.id);
    else elsewhere.set(run.id, run);
    set({ elsewhere });
    if (run.over || !known) void attempt(refresh);
  }

  /** What the run would be, a moment after the last change. */
  function look(): void {
    clearTimeout(lookTimer);
    history.replaceState(null, "", toFragment(state.choice));
    set({ looking: state.inputs.length > 0, measured: undefined });
    if (!state.looking) return;
    lookTimer = setTimeout(async () => {
      const { inputs, choice, base } = state;
      const current = (): boolean => inputs === state.inputs && choice === state.choice && base === state.base;
      try {
        const said = saidBy(choice, base !== undefined);
        const prospect = await client.call("prospect", { inputs, said, base });
        if (current()) set({ prospect, refusal: undefined, looking: false });
      } catch (error) {
        if (error instanceof WorkerEnded || (error instanceof CallFailed && error.kind === "stopped")) return;
        if (current()) set({ prospect: undefined, refusal: (error as Error).message, looking: false });
      }
    }, LOOK_MS);
  }

  function chooseExample(text: string): void {
    choose([{ name: "emails.txt", blob: new Blob([text]) }], t().example);
  }

  function choose(inputs: readonly Input[], title: string): void {
    set({ inputs, title, prospect: undefined, refusal: undefined });
    look();
  }

  /** Has the worker train, from the first word to the last. */
  async function work(title: string, maxSteps: number, begin: () => Promise<Outcome>): Promise<void> {
    if (state.active) return;
    set({
      active: { title, phase: "preparation", step: 0, maxSteps, stopping: false },
      outcome: undefined,
      notices: [],
      removing: undefined,
    });
    void navigator.storage?.persist?.().catch(() => false);
    await attempt(async () => {
      try {
        const { reason } = await tabs.training(begin());
        const kept = reason === "interrupted" && keeping;
        set({ outcome: kept ? "kept" : reason });
      } catch (error) {
        if (error instanceof CallFailed && error.kind === "stopped") set({ outcome: "withdrawn" });
        throw error;
      } finally {
        const { active } = state;
        if (active?.id !== undefined) tabs.tell({ ...active, id: active.id, over: true });
        keeping = false;
        set({ active: undefined });
      }
    });
    await attempt(refresh);
  }

  let keeping = false;

  async function lookAt(id: string): Promise<Shown> {
    const run = state.runs.find((one) => one.id === id);
    const lines = await client.call("lines", { id });
    const last = lines.findLast((line) => line.kind === "samples");
    const samples = last?.kind === "samples" ? { step: last.step, samples: last.samples } : undefined;
    const maxSteps = run?.maxSteps ?? 0;
    return { id, title: run?.title ?? id, maxSteps, log: logOf(lines, maxSteps), samples };
  }

  const app: App = {
    get state() {
      return state;
    },
    get unsaved() {
      const { greeting, active, runs } = state;
      const only = (run: StoredRun): boolean => run.model && run.status !== "opened" && !taken.has(run.id);
      return greeting?.storage.kind === "memory" && (active !== undefined || runs.some(only));
    },
    setLanguage(locale) {
      try {
        localStorage.setItem("language", locale);
      } catch {}
      void attempt(() => speak(locale));
    },
    useExample: () => void attempt(async () => chooseExample(await example)),
    useText(text) {
      choose([{ name: PASTED, blob: new Blob([text]) }], t().pasted);
    },
    useFiles(files) {
      if (files.length === 0) return;
      choose(
        files.map((file) => ({ name: file.name, blob: file })),
        files.map(({ name }) => name).join(", "),
      );
    },
    useDropped(files) {
      if (state.active) return;
      if (files.some(({ name }) => MODEL_NAME.test(name))) app.useModel(files);
      else app.useFiles(files);
    },
    useModel(files) {
      const [first] = files;
      if (!first) return;
      const path = first.webkitRelativePath.split("/");
      const title = path.length > 1 ? path[0]! : first.name;
      set({ base: { title, files: files.map((file) => ({ name: file.name, blob: file })) }, prospect: undefined });
      look();
    },
    fromScratch() {
      set({ base: undefined, prospect: undefined });
      look();
    },
    keepModel: () =>
      attempt(async () => {
        const { base } = state;
        if (!base) return;
        const { id } = await client.call("open", base);
        await refresh();
        await app.show(id);
      }),
    setDropping: (dropping) => set({ dropping }),
    setSize(size) {
      const { learning_rate, n_layer, n_embd, n_positions, per_device_train_batch_size, max_steps, ...own } =
        state.choice.own;
      set({ choice: { ...state.choice, size, own } });
      look();
    },
    setSetting(name, value) {
      const own: Record<string, unknown> = { ...state.choice.own };
      if (value === undefined) delete own[name];
      else own[name] = value;
      set({ choice: { ...state.choice, own } });
      look();
    },
    setDevice(device) {
      set({ choice: { ...state.choice, device }, greeting: undefined });
      void greet().then(look);
    },
    resetSettings() {
      set({ choice: { ...state.choice, own: {} } });
      look();
    },
    async measure() {
      const { inputs, choice, base } = state;
      set({ measured: "measuring" });
      await attempt(async () => {
        const said = saidBy(choice, base !== undefined);
        set({ measured: await client.call("measure", { inputs, said, base }) });
      });
      if (state.measured === "measuring") set({ measured: undefined });
    },
    async train() {
      const { inputs, title, choice, prospect, base } = state;
      const said: SaidSettings = saidBy(choice, base !== undefined);
      const name = base ? `${title}, ${base.title}` : title;
      await work(name, prospect?.maxSteps ?? 0, () => client.call("train", { title: name, inputs, said, base }));
    },
    async resume(id) {
      const run = state.runs.find((one) => one.id === id);
      await work(run?.title ?? id, run?.maxSteps ?? 0, () => client.call("resume", { id }));
    },
    stop(keep) {
      if (!state.active) return;
      keeping = keep;
      set({ active: { ...state.active, stopping: true } });
      void attempt(() => client.call("stop", { keep }));
    },
    show: (id) =>
      attempt(async () => {
        const shown = await lookAt(id);
        set({ shown, compared: without(state.compared, id), results: undefined, outcome: undefined });
      }),
    compare: (id, on) =>
      attempt(async () => {
        if (on) set({ compared: new Map(state.compared).set(id, await lookAt(id)) });
        else set({ compared: without(state.compared, id) });
      }),
    download: (id) =>
      attempt(async () => {
        const title = state.runs.find((one) => one.id === id)?.title ?? id;
        offer(await client.call("zip", { id }), `${title.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 60)}.zip`);
        taken.add(id);
      }),
    downloadNotFinite: ({ id, notFinite: step = 0 }) =>
      attempt(async () => offer(await client.call("notFinite", { id, step }), notFiniteFile(step))),
    async remove(id) {
      if (state.removing !== id) return set({ removing: id });
      await attempt(async () => {
        await client.call("remove", { id });
        set({ removing: undefined });
        forget(id);
        tabs.tell({ id, title: id, step: 0, maxSteps: 0, over: true });
      });
      await attempt(refresh);
    },
    spare(id) {
      if (state.removing === id) set({ removing: undefined });
    },
    setForm(change) {
      const unread = Object.fromEntries(Object.entries(state.unread).filter(([name]) => !(name in change)));
      set({ form: { ...state.form, ...change }, unread });
    },
    setUnread: (name, text) => set({ unread: { ...state.unread, [name]: text } }),
    async sample(count) {
      const { shown, form } = state;
      if (!shown || state.sampling) return;
      const wanted = count ?? form.count;
      set({ sampling: true, coming: Array.from({ length: wanted }, () => []), results: undefined });
      await attempt(async () => {
        const wish = { ...form, id: shown.id, count: wanted };
        set({ results: await client.call("sample", wish) });
      });
      set({ sampling: false, coming: undefined, results: state.results ?? writtenSoFar(form.prompt, state.coming) });
    },
    hush: () => void attempt(() => client.call("hush", null)),
    openInside: () =>
      attempt(async () => {
        const { createInside } = await part(() => import("./inside/inside.ts"));
        if (!state.inside) set({ inside: createInside(app) });
      }),
    call: (name, wish) => client.call(name, wish),
    redraw: () => set({}),
    dismiss: (message) => set({ alerts: state.alerts.filter((one) => one !== message) }),
  };

  /** Also of a run that trains on from a model, where settings wait for one. */
  async function check(choice: Choice): Promise<void> {
    await client.call("check", { said: saidBy(choice), tuning: false });
    if (waiting(choice, false).length > 0) await client.call("check", { said: saidBy(choice, true), tuning: true });
  }

  /** Where the settings of the page's address cannot be, all stay as they were. */
  function refuse(error: Error, before: Choice): void {
    set({ choice: before });
    alert(t().linkProblem(told(error)));
  }

  async function begin(): Promise<void> {
    await attempt(() => speak(localeAtStart()));
    try {
      state = { ...state, choice: fromFragment(location.hash) };
    } catch (error) {
      refuse(error as Error, FIRST_CHOICE);
    }
    await greet();
    try {
      await check(state.choice);
    } catch (error) {
      refuse(error as Error, FIRST_CHOICE);
    }
    await attempt(async () => {
      const text = await example;
      // Unless somebody was faster.
      if (state.inputs.length === 0) chooseExample(text);
      else look();
    });
  }

  /** Another address was typed, or a link to this page followed. */
  async function follow(): Promise<void> {
    const before = state.choice;
    try {
      const choice = fromFragment(location.hash);
      await check(choice);
      if (!state.active) set({ choice });
      else alert(t().linkWhileTraining);
    } catch (error) {
      refuse(error as Error, before);
    }
    if (state.choice.device !== before.device) app.setDevice(state.choice.device);
    else look();
  }

  addEventListener("hashchange", () => void attempt(follow));
  void begin();
  return app;
}

/** What there is of samples that were stopped. */
function writtenSoFar(prompt: string, coming: State["coming"]): readonly Sampled[] | undefined {
  if (!coming?.some((tokens) => tokens.length > 0)) return undefined;
  return coming.map((tokens) => ({ prompt, text: tokens.map(({ text }) => text).join(""), ended: false, tokens }));
}

/** Seconds that the steps so far say of the rest. */
export function remainingOf({ since, step, maxSteps }: Active): string {
  if (!since || step <= since.step) return "\u2013";
  const perStep = (performance.now() / 1000 - since.at) / (step - since.step);
  return duration(perStep * (maxSteps - step));
}

function localeAtStart(): string {
  try {
    const kept = localStorage.getItem("language");
    if (kept !== null) return kept;
  } catch {}
  return navigator.language.slice(0, 2);
}

function without<T>(map: ReadonlyMap<string, T>, id: string): ReadonlyMap<string, T> {
  const rest = new Map(map);
  rest.delete(id);
  return rest;
}
