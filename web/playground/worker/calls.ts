/** What the page's worker does: it answers the page's calls, and tells what goes on. */

import { DeviceLostError, StoppedError, UserError, userError } from "../../../src/core/errors.ts";
import { blobSource } from "../../../src/data/memory-source.ts";
import { blobFile } from "../../../src/io/file-source.ts";
import { notFiniteFile } from "../../../src/run/files.ts";
import { type OpenModel, requireTokenizer } from "../../../src/run/model.ts";
import type { TrainPlan } from "../../../src/run/plan.ts";
import { isRun } from "../../../src/run/resume.ts";
import type { OpenRuntime } from "../../../src/run/session.ts";
import { readText } from "../../../src/storage/read.ts";
import type { Answer, Base, CallName, Calls, Failure, Message, Outcome, Request, RunWish, Wish } from "../protocol.ts";
import { modelFilesOf, openBase } from "./base.ts";
import { settingsOf } from "./check.ts";
import { chooseDevices, type Devices } from "./devices.ts";
import { refuseForeign } from "./foreign.ts";
import { type Home, openHome } from "./home.ts";
import { measureSteps, planOf, prospectOf } from "./plan.ts";
import { createSampler, type Sampler } from "./sampling.ts";
import { linesOf, train } from "./training.ts";

interface Workshop {
  readonly home: Home;
  readonly devices: Devices;
  readonly sampler: Sampler;
}

/** The run that trains here, and how it is to end. */
interface RunHere {
  readonly stop: AbortController;
  keep: boolean;
}

let workshop: Promise<Workshop> | undefined;
/** Nothing is trained on it: it says what would be taken. */
let oracle: Promise<OpenRuntime> | undefined;
/** From the moment that it was asked for, so that it can be stopped from then on. */
let training: RunHere | undefined;
let looking: AbortController | undefined;
let sampling: AbortController | undefined;
let checking: AbortController | undefined;

const tell = (message: Message): void => postMessage(message);
const opened = (): Promise<Workshop> => workshop ?? userError("the worker was not greeted yet");

type Handlers = { readonly [K in CallName]: (wish: Wish<K>) => Promise<Answer<K>> };

const HANDLERS: Handlers = {
  async greet({ device, lock }) {
    void navigator.locks?.request(lock, () => new Promise(() => {}));
    workshop = (async () => {
      const [home, devices] = await Promise.all([openHome(), chooseDevices(device)]);
      return { home, devices, sampler: createSampler(home, devices.info.kind) };
    })();
    const { home, devices } = await workshop;
    return { device: devices.info, storage: home.storage };
  },

  async check({ said, tuning }) {
    settingsOf(said, tuning ? { base: "a model" } : {});
  },

  async open({ title, files }) {
    const { home } = await opened();
    const base = { title, files: await modelFilesOf(files) };
    // Opened once, so that what is no model is not kept.
    const model = await openChosen(base, () => {});
    requireTokenizer(model);
    await model.close();
    return { id: await home.create({ title, inputs: [], said: {}, maxSteps: 0, base }) };
  },

  async prospect(wish) {
    const { devices } = await opened();
    return planned(wish, async (plan, notices) => {
      oracle ??= devices.open();
      // One that did not open is tried again.
      oracle.catch(() => {
        oracle = undefined;
      });
      return prospectOf(plan, await oracle, devices.budget, notices);
    });
  },

  async measure(wish) {
    requireIdle();
    const { devices } = await opened();
    return planned(wish, (plan, _, signal) => measureSteps(plan, devices, signal));
  },

  train: ({ title, inputs, said, base: chosen }) =>
    beginRun(async (run) => {
      const { home } = await opened();
      refuseForeign(inputs);
      const { settings } = settingsOf(said, { data: inputs.map(({ name }) => name), base: chosen?.title });
      if (inputs.length === 0) userError("no data: choose a file, paste a text, or take the example");
      const base = chosen && { ...chosen, files: await modelFilesOf(chosen.files) };
      const id = await home.create({ title, inputs, said, maxSteps: settings.maxSteps ?? 0, base });
      try {
        return await trainStored(id, run);
      } finally {
        // What never began is no run.
        if (!(await isRun(home.run(id)))) await home.remove(id);
      }
    }),

  resume: ({ id }) => beginRun((run) => trainStored(id, run)),

  async stop({ keep }) {
    if (!training) return;
    training.keep = keep;
    training.stop.abort(new StoppedError("stopped by the page"));
  },

  list: async () => (await opened()).home.list(),

  async lines({ id }) {
    return linesOf((await opened()).home.run(id));
  },

  asked: async ({ id }) => (await opened()).home.asked(id),

  async remove({ id }) {
    const { home, sampler } = await opened();
    await sampler.forget();
    await home.remove(id);
  },

  async zip({ id }) {
    return (await opened()).sampler.zip(id);
  },

  async notFinite({ id, step }) {
    const text = await readText((await opened()).home.run(id), notFiniteFile(step));
    return new Blob([text], { type: "application/json" });
  },

  async prompt(wish) {
    return (await opened()).sampler.prompt(wish);
  },

  async sample(wish) {
    sampling?.abort(new StoppedError("another was asked for"));
    sampling = new AbortController();
    const { signal } = sampling;
    return (await opened()).sampler.sample(wish, signal, (tokens) => tell({ event: "tokens", tokens }));
  },

  async adapter() {
    const { adapterOf } = await import("./inside.ts");
    return adapterOf((await opened()).devices);
  },

  async profile(wish) {
    const signal = beginCheck();
    const { devices } = await opened();
    return planned(wish, async (plan, _, looked) =>
      (await import("./inside.ts")).profileOf(plan, devices, AbortSignal.any([signal, looked])),
    );
  },

  async attention({ id, text }) {
    const { attentionOf } = await import("./inside.ts");
    return attentionOf(await (await opened()).sampler.model(id), text);
  },

  async nearest({ id, token, count }) {
    const model = await (await opened()).sampler.model(id);
    return { token, near: await model.nearestTokens(token, count) };
  },

  async verify() {
    const signal = beginCheck();
    const { devices } = await opened();
    return (await import("./inside.ts")).verifyOn(devices, signal);
  },

  async gradcheck() {
    const signal = beginCheck();
    const { devices } = await opened();
    const { gradcheckOn } = await import("./inside.ts");
    return gradcheckOn(devices, signal, (done, all, report) => tell({ event: "checked", done, all, report }));
  },

  async endCheck() {
    checking?.abort(new StoppedError("stopped by the page"));
  },

  async hush() {
    sampling?.abort(new StoppedError("stopped by the page"));
  },
};

/** Has a plan for the length of `use`; one at a time, and the last one counts. */
async function planned<T>(
  { inputs, said, base }: RunWish,
  use: (plan: TrainPlan, notices: string[], signal: AbortSignal) => Promise<T>,
): Promise<T> {
  looking?.abort(new StoppedError("another was asked for"));
  looking = new AbortController();
  const { signal } = looking;
  refuseForeign(inputs);
  const { settings, notices } = settingsOf(said, { data: inputs.map(({ name }) => name), base: base?.title });
  const notice = (line: string): void => void notices.push(line);
  const model = base && (await openChosen({ ...base, files: await modelFilesOf(base.files) }, notice));
  const sources = inputs.map(({ name, blob, content }) => blobSource(blob, { name, content }));
  const plan = await planOf({ sources, settings, model, notice, signal });
  try {
    return await use(plan, notices, signal);
  } finally {
    await plan.data.close();
  }
}

/** Close it at the end. */
function openChosen({ title, files }: Base, notice: (line: string) => void): Promise<OpenModel> {
  return openBase(title, new Map(files.map(({ name, blob }) => [name, blobFile(blob, name)])), async () => {}, notice);
}

/** One check at a time, and none beside a run, whose time it would take. */
function beginCheck(): AbortSignal {
  requireIdle();
  checking?.abort(new StoppedError("another was asked for"));
  checking = new AbortController();
  return checking.signal;
}

function requireIdle(): void {
  if (training) userError("a run trains here already; stop it first", "usage");
}

/** One run at a time, and no check beside it. */
async function beginRun<T>(work: (run: RunHere) => Promise<T>): Promise<T> {
  requireIdle();
  checking?.abort(new StoppedError("a run begins"));
  const run: RunHere = { stop: new AbortController(), keep: false };
  training = run;
  try {
    return await work(run);
  } finally {
    training = undefined;
  }
}

async function trainStored(id: string, run: RunHere): Promise<Outcome> {
  const { home, devices } = await opened();
  const { signal } = run.stop;
  signal.throwIfAborted();
  const outcome = await train(id, { home, devices, signal, tell });
  if (run.keep && outcome.reason === "interrupted") await home.change(id, { kept: true });
  return outcome;
}

function failureOf(error: unknown): Failure {
  if (error instanceof UserError) return { message: error.message, kind: error.kind };
  if (error instanceof StoppedError) return { message: error.message, kind: "stopped" };
  if (error instanceof DeviceLostError) return { message: error.message, kind: "device" };
  const { name = "Error", message = String(error) } = (error ?? {}) as Partial<Error>;
  return { message: `${name}: ${message}`, kind: "bug" };
}

async function answer<K extends CallName>(call: number, name: K, wish: Wish<K>): Promise<void> {
  try {
    const value = await (HANDLERS[name] as (wish: Wish<K>) => Promise<ReturnType<Calls[K]>>)(wish);
    tell({ answer: call, value });
  } catch (error) {
    tell({ answer: call, failure: failureOf(error) });
  }
}

/** Takes a call. */
export function hear({ data }: MessageEvent<Request>): void {
  void answer(data.call, data.name, data.wish as Wish<typeof data.name>);
}
