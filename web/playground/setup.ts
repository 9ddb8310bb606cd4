/** The run that is set up: its data, the model that it trains on from, its settings and the address that they lie in; and what it would be. */
import type { Base, DeviceWish, Input, SaidSettings } from "./protocol.ts";
import {
  type Choice,
  choiceOf,
  FIRST_CHOICE,
  fromFragment,
  type Size,
  saidBy,
  toFragment,
  waiting,
} from "./settings.ts";
import { namedAs, type Shape, shapeOf } from "./shape.ts";
import { isUntold, type State, type Store } from "./store.ts";
import { uniqueName } from "./unique.ts";

export interface Setup {
  useExample(): void;
  /** `typing`: it is not done yet. */
  useText(text: string, typing?: boolean): void;
  /** Has the data read as what they look like. */
  readAs(shape: Shape): void;
  useFiles(files: readonly File[]): void;
  /** Files that were dropped: data, or a model. */
  useDropped(files: readonly File[]): void;
  useModel(files: readonly File[]): void;
  fromScratch(): void;
  setSize(size: Size): void;
  setSetting(name: string, value: unknown): void;
  /** Several at once; undefined: said no more. */
  setSettings(change: SaidSettings): void;
  setDevice(device: DeviceWish): void;
  resetSettings(): void;
  /** Sets up what a stored run was asked for, to be changed and run again; of a model that was opened, the model alone. */
  setUpAgain(id: string): Promise<void>;
  /** Has a few steps made, to say how long the run will take. */
  measure(): Promise<void>;
}

const LOOK_MS = 250;
/** Who types pauses for longer between two words. */
const TYPING_MS = 700;
/** A text that is pasted has no name; its records are lines. */
const PASTED = "pasted.txt";
/** Of a file that is no data. */
const MODEL_NAME = /\.(zip|safetensors)$/i;

/** What was just chosen. */
function inputOf(name: string, blob: Blob): Input {
  return { name, blob, content: uniqueName() };
}

/** `greet`: has a worker come for the chosen device. */
export function openSetup(store: Store, greet: () => Promise<void>) {
  const { set, attempt, alert, call } = store;
  const example = import("./example.ts").then(({ EXAMPLE }) => EXAMPLE);
  let lookTimer: ReturnType<typeof setTimeout> | undefined;

  /** What the run would be, a moment after the last change. */
  function look(afterMs = LOOK_MS): void {
    clearTimeout(lookTimer);
    history.replaceState(null, "", toFragment(store.state.choice));
    set({ looking: store.state.inputs.length > 0, measured: undefined });
    if (!store.state.looking) return;
    lookTimer = setTimeout(async () => {
      const { inputs, choice, base } = store.state;
      const current = (): boolean =>
        inputs === store.state.inputs && choice === store.state.choice && base === store.state.base;
      const said = saidBy(choice, base !== undefined);
      const [only, ...others] = inputs;
      const shape = only && others.length === 0 && said.data_format === undefined ? await shapeOf(only) : undefined;
      try {
        const prospect = await call("prospect", { inputs, said, base });
        if (current()) set({ prospect, refusal: undefined, looking: false, shape });
      } catch (error) {
        if (isUntold(error)) return;
        if (current()) set({ prospect: undefined, refusal: (error as Error).message, looking: false, shape });
      }
    }, afterMs);
  }

  function chooseExample(text: string): void {
    choose([inputOf("emails.txt", new Blob([text]))], { called: "example" });
  }

  function choose(
    inputs: readonly Input[],
    { called, title = "" }: Partial<Pick<State, "called" | "title">>,
    afterMs?: number,
  ): void {
    set({ inputs, called, title, prospect: undefined, refusal: undefined, shape: undefined, setUpAs: undefined });
    look(afterMs);
  }

  const actions: Setup = {
    useExample: () => void attempt(async () => chooseExample(await example)),
    useText(text, typing = false) {
      choose([inputOf(PASTED, new Blob([text]))], { called: "pasted" }, typing ? TYPING_MS : LOOK_MS);
    },
    readAs(shape) {
      const { inputs, called, title } = store.state;
      choose(
        inputs.map((input) => ({ ...input, name: namedAs(input.name, shape) })),
        { called, title },
      );
    },
    useFiles(files) {
      if (files.length === 0) return;
      choose(
        files.map((file) => inputOf(file.name, file)),
        { title: files.map(({ name }) => name).join(", ") },
      );
    },
    useDropped(files) {
      if (store.state.active) return;
      if (files.some(({ name }) => MODEL_NAME.test(name))) actions.useModel(files);
      else actions.useFiles(files);
    },
    useModel(files) {
      const [first] = files;
      if (!first) return;
      const path = first.webkitRelativePath.split("/");
      const title = path.length > 1 ? path[0]! : first.name;
      set({
        base: { title, files: files.map((file) => ({ name: file.name, blob: file })) },
        prospect: undefined,
        setUpAs: undefined,
      });
      look();
    },
    fromScratch() {
      set({ base: undefined, prospect: undefined, setUpAs: undefined });
      look();
    },
    setSize(size) {
      const { learning_rate, n_layer, n_embd, n_positions, per_device_train_batch_size, max_steps, ...own } =
        store.state.choice.own;
      set({ choice: { ...store.state.choice, size, own } });
      look();
    },
    setSetting: (name, value) => actions.setSettings({ [name]: value }),
    setSettings(change) {
      const said = Object.entries({ ...store.state.choice.own, ...change }).filter(([, value]) => value !== undefined);
      const own = Object.fromEntries(said);
      set({ choice: { ...store.state.choice, own } });
      look();
    },
    setDevice(device) {
      set({ choice: { ...store.state.choice, device }, greeting: undefined });
      void greet().then(() => look());
    },
    resetSettings() {
      set({ choice: { ...store.state.choice, own: {} } });
      look();
    },
    setUpAgain: (id) =>
      attempt(async () => {
        const { title, inputs, said, base } = await call("asked", { id });
        if (store.state.active) return;
        const { device } = store.state.choice;
        const choice = (): Choice => choiceOf(said, base !== undefined, device);
        const trained = inputs.length > 0;
        const all = trained ? { inputs, title: dataTitle(title, base), called: undefined, choice: choice() } : {};
        set({ base, prospect: undefined, refusal: undefined, shape: undefined, setUpAs: { title, trained }, ...all });
        look();
      }),
    async measure() {
      const { inputs, choice, base } = store.state;
      set({ measured: "measuring" });
      await attempt(async () => {
        const said = saidBy(choice, base !== undefined);
        set({ measured: await call("measure", { inputs, said, base }) });
      });
      if (store.state.measured === "measuring") set({ measured: undefined });
    },
  };

  /** A run that trains on from a model is called by both. */
  function dataTitle(title: string, base: Base | undefined): string {
    const model = base ? `, ${base.title}` : "";
    return model !== "" && title.endsWith(model) ? title.slice(0, -model.length) : title;
  }

  /** Also of a run that trains on from a model, where settings wait for one. */
  async function check(choice: Choice): Promise<void> {
    await call("check", { said: saidBy(choice), tuning: false });
    if (waiting(choice, false).length > 0) await call("check", { said: saidBy(choice, true), tuning: true });
  }

  /** Where the settings of the page's address cannot be, all stay as they were. */
  function refuse(error: Error, before: Choice): void {
    set({ choice: before });
    alert(store.state.texts.linkProblem(store.told(error)));
  }

  /** The settings of the address, before there is a worker to check them. */
  function read(): void {
    try {
      set({ choice: fromFragment(location.hash) });
    } catch (error) {
      refuse(error as Error, FIRST_CHOICE);
    }
  }

  /** Once there is a worker. */
  async function begin(): Promise<void> {
    try {
      await check(store.state.choice);
    } catch (error) {
      refuse(error as Error, FIRST_CHOICE);
    }
    await attempt(async () => {
      const text = await example;
      // Unless somebody was faster.
      if (store.state.inputs.length === 0) chooseExample(text);
      else look();
    });
  }

  /** Another address was typed, or a link to this page followed. */
  async function follow(): Promise<void> {
    const before = store.state.choice;
    try {
      const choice = fromFragment(location.hash);
      await check(choice);
      if (!store.state.active) set({ choice });
      else alert(store.state.texts.linkWhileTraining);
    } catch (error) {
      refuse(error as Error, before);
    }
    if (store.state.choice.device !== before.device) actions.setDevice(store.state.choice.device);
    else look();
  }

  return { actions, read, begin, follow, look };
}
