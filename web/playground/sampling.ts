/** Samples of the run that is looked at: what is asked for, and what has come. */
import type { Happening, Sampled } from "./protocol.ts";
import type { NumberField, SampleForm, State, Store } from "./store.ts";

export interface Sampling {
  setForm(change: Partial<SampleForm>): void;
  setUnread(name: NumberField, text: string): void;
  sample(count?: number): Promise<void>;
  hush(): void;
}

/** After the last key. */
const READ_MS = 250;

export function openSampling(store: Store): {
  readonly actions: Sampling;
  hear(happening: Happening): void;
  /** The state has changed. */
  follow(): void;
} {
  const { set, attempt, call } = store;
  /** The prompt that was asked about last, and what else its reading is by. */
  let asked: string | undefined;
  let readTimer: ReturnType<typeof setTimeout> | undefined;

  /** Has the prompt read whenever it is another, or for another model; not beside samples, which it would delay. */
  function follow(): void {
    const { shown, runs, form, sampling, promptRead } = store.state;
    const { prompt, maxNewTokens } = form;
    const run = runs.find(({ id }) => id === shown?.id);
    const key = run?.model && prompt !== "" ? JSON.stringify([run.id, prompt, maxNewTokens]) : undefined;
    if (key === asked || (sampling && key !== undefined)) return;
    asked = key;
    clearTimeout(readTimer);
    if (key === undefined || !run) {
      if (promptRead) set({ promptRead: undefined });
      return;
    }
    const { id } = run;
    readTimer = setTimeout(async () => {
      // What is wrong with it is told when it is continued.
      const read = await call("prompt", { id, prompt, maxNewTokens }).catch(() => undefined);
      if (asked === key) set({ promptRead: read && { ...read, id } });
    }, READ_MS);
  }

  function hear(happening: Happening): void {
    if (happening.event !== "tokens") return;
    const coming = [...(store.state.coming ?? [])];
    for (const { sample, ...token } of happening.tokens) coming[sample] = [...(coming[sample] ?? []), token];
    set({ coming });
  }

  const actions: Sampling = {
    setForm(change) {
      const unread = Object.fromEntries(Object.entries(store.state.unread).filter(([name]) => !(name in change)));
      set({ form: { ...store.state.form, ...change }, unread });
    },
    setUnread: (name, text) => set({ unread: { ...store.state.unread, [name]: text } }),
    async sample(count) {
      const { shown, form, unread, sampling } = store.state;
      // Who presses Enter is before the button that can no longer be pressed.
      if (!shown || sampling || Object.keys(unread).length > 0) return;
      const wanted = count ?? form.count;
      set({ sampling: true, coming: Array.from({ length: wanted }, () => []), results: undefined });
      await attempt(async () => {
        const wish = { ...form, id: shown.id, count: wanted };
        set({ results: await call("sample", wish) });
      }, "samples");
      set({
        sampling: false,
        coming: undefined,
        results: store.state.results ?? writtenSoFar(form.prompt, store.state.coming),
      });
    },
    hush: () => void attempt(() => call("hush", null)),
  };
  return { actions, hear, follow };
}

/** What there is of samples that were stopped. */
function writtenSoFar(prompt: string, coming: State["coming"]): readonly Sampled[] | undefined {
  if (!coming?.some((tokens) => tokens.length > 0)) return undefined;
  return coming.map((tokens) => ({ prompt, text: tokens.map(({ text }) => text).join(""), ended: false, tokens }));
}
