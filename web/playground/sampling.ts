/** Samples of the run that is looked at: what is asked for, and what has come. */
import type { Happening, Sampled, Wish } from "./protocol.ts";
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
  /** What was asked about a prompt last. */
  let asked: Wish<"prompt"> | undefined;
  let readTimer: ReturnType<typeof setTimeout> | undefined;

  /** Has the prompt read whenever it is another, or for another model; not beside samples, which it would delay. */
  function follow(): void {
    const { shown, runs, form, sampling, promptRead } = store.state;
    const { prompt, maxNewTokens } = form;
    const run = runs.find(({ id }) => id === shown?.id);
    const wish = run?.model && prompt !== "" ? { id: run.id, prompt, maxNewTokens } : undefined;
    const same = wish?.id === asked?.id && wish?.prompt === asked?.prompt && wish?.maxNewTokens === asked?.maxNewTokens;
    if (same || (sampling && wish)) return;
    asked = wish;
    clearTimeout(readTimer);
    if (!wish) {
      if (promptRead) set({ promptRead: undefined });
      return;
    }
    readTimer = setTimeout(async () => {
      // What is wrong with it is told when it is continued.
      const read = await call("prompt", wish).catch(() => undefined);
      if (asked === wish) set({ promptRead: read && { ...read, id: wish.id } });
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
