/** Runs: the one that trains in this tab, the one that is looked at, those beside it, and all that are stored. */
import { duration } from "../../src/core/units.ts";
import { notFiniteFile } from "../../src/run/files.ts";
import { CallFailed } from "./client.ts";
import { logOf, withLine } from "./log.ts";
import { offer } from "./offer.ts";
import type { Happening, Outcome, SaidSettings, StoredRun } from "./protocol.ts";
import { saidBy } from "./settings.ts";
import { type Active, type Shown, type Store, titleOf, without } from "./store.ts";
import { type Elsewhere, openTabs } from "./tabs.ts";

export interface Runs {
  /** What would be gone with the tab: a run that goes on, or a model that nobody has taken, where nothing is kept. */
  readonly unsaved: boolean;
  train(): Promise<void>;
  resume(id: string): Promise<void>;
  stop(keep: boolean): void;
  /** Keeps the model that was opened, to sample it. */
  keepModel(): Promise<void>;
  show(id: string): Promise<void>;
  compare(id: string, on: boolean): Promise<void>;
  download(id: string): Promise<void>;
  /** Gives away what is known of the step for which a run has diverged. */
  downloadNotFinite(run: StoredRun): Promise<void>;
  remove(id: string): Promise<void>;
  /** Its deletion has not been said twice. */
  spare(id: string): void;
}

/** Between two looks whether a run still trains in another tab. */
const WATCH_MS = 2000;
const MOST_NOTICES = 50;

export function openRuns(store: Store) {
  const { set, attempt, call } = store;
  const tabs = openTabs(hearTab);
  /** Runs whose models were downloaded. */
  const taken = new Set<string>();
  let keeping = false;
  let watchTimer: ReturnType<typeof setTimeout> | undefined;

  /** Nothing is shown of a run that is no more. */
  function forget(id: string): void {
    set({
      compared: without(store.state.compared, id),
      ...(store.state.shown?.id === id ? { shown: undefined, results: undefined, outcome: undefined } : {}),
    });
  }

  async function refresh(): Promise<void> {
    const runs = await call("list", null);
    const running = new Set(runs.flatMap(({ id, status }) => (status === "running" ? [id] : [])));
    const { shown } = store.state;
    const watched = shown !== undefined && store.state.elsewhere.has(shown.id);
    // A tab that was closed has said nothing of it.
    const elsewhere = new Map([...store.state.elsewhere].filter(([id]) => running.has(id)));
    // Another tab may have deleted what is looked at here.
    const lost = store.state.runs.filter(
      ({ id }) => id !== store.state.active?.id && !runs.some((run) => run.id === id),
    );
    for (const { id } of lost) forget(id);
    set({ runs, elsewhere });
    if (store.state.active?.id !== undefined) running.delete(store.state.active.id);
    clearTimeout(watchTimer);
    if (running.size > 0) watchTimer = setTimeout(() => void attempt(refresh), WATCH_MS);
    // What another tab trains is shown as far as it is.
    if (watched) await lookAgain(shown.id);
    const interrupted = runs.find(({ status }) => status === "paused" || status === "diverged");
    if (!store.state.shown && !store.state.active && interrupted) await actions.show(interrupted.id);
  }

  function hear(happening: Happening): void {
    const { active, shown } = store.state;
    switch (happening.event) {
      case "begun": {
        const { id, maxSteps, lines } = happening;
        const title = active?.title ?? id;
        const before = shown?.id === id ? shown : undefined;
        const step = lines.reduce((most, line) => Math.max(most, line.step), 0);
        set({
          shown: { id, title, maxSteps, log: logOf(lines, maxSteps), samples: before?.samples },
          compared: without(store.state.compared, id),
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
        set({ notices: [...store.state.notices, happening.message].slice(-MOST_NOTICES) });
    }
  }

  function hearTab(run: Elsewhere): void {
    // Where nothing is kept each tab has its own.
    if (store.state.greeting?.storage.kind === "memory") return;
    const known = store.state.elsewhere.has(run.id);
    // One that is over is among them until what became of it is read.
    if (!run.over) set({ elsewhere: new Map(store.state.elsewhere).set(run.id, run) });
    if (run.over || !known) void attempt(refresh);
  }

  async function lookAgain(id: string): Promise<void> {
    if (!store.state.runs.some((run) => run.id === id)) return;
    const shown = await lookAt(id);
    if (store.state.shown?.id === id && store.state.active?.id !== id) set({ shown });
  }

  /** Has the worker train, from the first word to the last. */
  async function work(title: string, maxSteps: number, begin: () => Promise<Outcome>): Promise<void> {
    if (store.state.active) return;
    set({
      active: { title, phase: "preparation", step: 0, maxSteps, stopping: false },
      outcome: undefined,
      setUpAs: undefined,
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
        const { active } = store.state;
        if (active?.id !== undefined) tabs.tell({ ...active, id: active.id, over: true });
        keeping = false;
        set({ active: undefined });
      }
    }, "run");
    await attempt(refresh);
  }

  async function lookAt(id: string): Promise<Shown> {
    const run = store.state.runs.find((one) => one.id === id);
    const lines = await call("lines", { id });
    const last = lines.findLast((line) => line.kind === "samples");
    const samples = last?.kind === "samples" ? { step: last.step, samples: last.samples } : undefined;
    const maxSteps = run?.maxSteps ?? 0;
    return { id, title: run?.title ?? id, maxSteps, log: logOf(lines, maxSteps), samples };
  }

  const actions: Runs = {
    get unsaved() {
      const { greeting, active, runs } = store.state;
      const only = (run: StoredRun): boolean => run.model && run.status !== "opened" && !taken.has(run.id);
      return greeting?.storage.kind === "memory" && (active !== undefined || runs.some(only));
    },
    async train() {
      const { inputs, choice, prospect, base } = store.state;
      const title = titleOf(store.state);
      const said: SaidSettings = saidBy(choice, base !== undefined);
      const name = base ? `${title}, ${base.title}` : title;
      await work(name, prospect?.maxSteps ?? 0, () => call("train", { title: name, inputs, said, base }));
    },
    async resume(id) {
      const run = store.state.runs.find((one) => one.id === id);
      await work(run?.title ?? id, run?.maxSteps ?? 0, () => call("resume", { id }));
    },
    stop(keep) {
      if (!store.state.active) return;
      keeping = keep;
      set({ active: { ...store.state.active, stopping: true } });
      void attempt(() => call("stop", { keep }));
    },
    keepModel: () =>
      attempt(async () => {
        const { base } = store.state;
        if (!base) return;
        const { id } = await call("open", base);
        await refresh();
        await actions.show(id);
      }),
    show: (id) =>
      attempt(async () => {
        const shown = await lookAt(id);
        set({ shown, compared: without(store.state.compared, id), results: undefined, outcome: undefined });
      }),
    compare: (id, on) =>
      attempt(async () => {
        if (on) set({ compared: new Map(store.state.compared).set(id, await lookAt(id)) });
        else set({ compared: without(store.state.compared, id) });
      }),
    download: (id) =>
      attempt(async () => {
        const title = store.state.runs.find((one) => one.id === id)?.title ?? id;
        offer(await call("zip", { id }), `${title.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 60)}.zip`);
        taken.add(id);
      }),
    downloadNotFinite: ({ id, notFinite: step = 0 }) =>
      attempt(async () => offer(await call("notFinite", { id, step }), notFiniteFile(step))),
    async remove(id) {
      if (store.state.removing !== id) return set({ removing: id });
      await attempt(async () => {
        await call("remove", { id });
        set({ removing: undefined });
        forget(id);
        tabs.tell({ id, title: id, step: 0, maxSteps: 0, over: true });
      }, "run");
      await attempt(refresh);
    },
    spare(id) {
      if (store.state.removing === id) set({ removing: undefined });
    },
  };
  return { actions, refresh, hear };
}

/** Seconds that the steps so far say of the rest. */
export function remainingOf({ since, step, maxSteps }: Active): string {
  if (!since || step <= since.step) return "\u2013";
  const perStep = (performance.now() / 1000 - since.at) / (step - since.step);
  return duration(perStep * (maxSteps - step));
}
