/** The page: its parts together, its language, and the worker that it has started, and starts again. */
import { type Client, startWorker } from "./client.ts";
import type { Happening } from "./protocol.ts";
import { openRuns, type Runs } from "./runs.ts";
import { openSampling, type Sampling } from "./sampling.ts";
import { openSetup, type Setup } from "./setup.ts";
import { createStore, part, type State, type Store } from "./store.ts";
import { EN, type Texts } from "./texts/en.ts";
import { uniqueName } from "./unique.ts";

/** English comes with the page, others when they are wanted. */
export const LANGUAGES = [
  { locale: "en", name: "English", load: async (): Promise<Texts> => EN },
  { locale: "es", name: "Español", load: (): Promise<Texts> => import("./texts/es.ts").then(({ ES }) => ES) },
] as const;

/** What views draw, and what they call. */
export interface App extends Setup, Runs, Sampling {
  readonly state: State;
  setLanguage(locale: string): void;
  setDropping(dropping: boolean): void;
  dismiss(alert: string): void;
  openInside(): Promise<void>;
  /** What parts of the page with a state of their own need. */
  readonly call: Store["call"];
  redraw(): void;
}

/** `draw`: the state has changed; `lazily`: nobody waits for it. */
export function openApp(draw: (app: App, lazily: boolean) => void): App {
  let client!: Client;
  const store = createStore(
    (lazily) => {
      draw(app, lazily);
      samples.follow();
    },
    (name, wish) => client.call(name, wish),
  );
  const { set, attempt, alert, call } = store;
  const { actions: setup, ...address } = openSetup(store, greet);
  const { actions: runs, ...list } = openRuns(store);
  const { actions: sampling, ...samples } = openSampling(store);

  function hear(happening: Happening): void {
    store.state.inside?.hear(happening);
    list.hear(happening);
    samples.hear(happening);
  }

  async function speak(locale: string): Promise<void> {
    const language = LANGUAGES.find((one) => one.locale === locale) ?? LANGUAGES[0];
    set({ texts: await part(language.load) });
  }

  /** A device that cannot be had is told of, and what is best is computed on. */
  async function greet(): Promise<void> {
    const lock = `webgpu-gpt2 playground: worker ${uniqueName()}`;
    (client as Client | undefined)?.close();
    const mine = startWorker(hear, lock);
    client = mine;
    void mine.ended.then(() => {
      if (client === mine) void restart();
    });
    await attempt(async () => {
      set({ greeting: await call("greet", { device: store.state.choice.device, lock }), dead: false });
      await list.refresh();
    });
    const { greeting, choice } = store.state;
    if (greeting || choice.device === "auto") return;
    set({ choice: { ...choice, device: "auto" } });
    await greet();
  }

  async function restart(): Promise<void> {
    const { active, greeting, texts: t } = store.state;
    const kept = greeting?.storage.kind === "opfs";
    set({ active: undefined, sampling: false, coming: undefined });
    // One that never answered is not started again: it would end again.
    if (!greeting) return set({ dead: true });
    alert(active ? (kept ? t.crashed : t.crashedMemory) : t.crashedIdle);
    if (!kept) set({ shown: undefined, compared: new Map() });
    await greet();
    address.look();
  }

  const app: App = {
    ...setup,
    ...runs,
    ...sampling,
    get state() {
      return store.state;
    },
    get unsaved() {
      return runs.unsaved;
    },
    setLanguage(locale) {
      try {
        localStorage.setItem("language", locale);
      } catch {}
      void attempt(() => speak(locale));
    },
    setDropping: (dropping) => set({ dropping }),
    dismiss: store.dismiss,
    openInside: () =>
      attempt(async () => {
        const { createInside } = await part(() => import("./inside/inside.ts"));
        if (!store.state.inside) set({ inside: createInside(app) });
      }),
    call,
    redraw: () => set({}),
  };

  async function begin(): Promise<void> {
    await attempt(() => speak(localeAtStart()));
    address.read();
    await greet();
    await address.begin();
  }

  addEventListener("hashchange", () => void attempt(address.follow));
  void begin();
  return app;
}

function localeAtStart(): string {
  try {
    const kept = localStorage.getItem("language");
    if (kept !== null) return kept;
  } catch {}
  return navigator.language.slice(0, 2);
}
