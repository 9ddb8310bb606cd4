/** Texts of a stored run's model, which stays loaded until another is asked for. */
import { BROWSER } from "../../../src/browser/environment.ts";
import { DeviceLostError, StoppedError, userError } from "../../../src/core/errors.ts";
import type { TokenLogProbability } from "../../../src/generate/decoder.ts";
import { ADAPTER_CONFIG } from "../../../src/io/adapter-config.ts";
import { loadModel } from "../../../src/library/load.ts";
import { createModelOf, type Model, partsOf, type TextOptions } from "../../../src/library/model.ts";
import type { Folder } from "../../../src/storage/folder.ts";
import { exists, openFiles } from "../../../src/storage/read.ts";
import type { Chance, DeviceWish, PromptRead, Sampled, SampleWish, ShownToken } from "../protocol.ts";
import { settingsOf } from "./check.ts";
import type { Home } from "./home.ts";
import { type Judge, judgeOf } from "./judge.ts";
import { planOf } from "./plan.ts";
import { PROMPT_OPTIONS, type PromptReader, readPrompt } from "./prompt.ts";

/** Of a sample, by its number. */
export type CameToken = ShownToken & { readonly sample: number };

export interface Sampler {
  /** `told`: tokens as they come. */
  sample(wish: SampleWish, signal: AbortSignal, told: (tokens: CameToken[]) => void): Promise<Sampled[]>;
  /** Without the model's weights, and beside one that samples. */
  prompt(wish: Pick<SampleWish, "id" | "prompt" | "maxNewTokens">): Promise<PromptRead>;
  /** A run's model, which stays open until another's is wanted. */
  model(id: string): Promise<Model>;
  zip(id: string): Promise<Blob>;
  /** Of a run that is removed, or trained on. */
  forget(): Promise<void>;
}

/** Data that are larger are not read again to see whether a sample is in them. */
const MOST_JUDGED_BYTES = 2 ** 24;

/** Nobody knows whether a sample is new. */
const UNJUDGED: Judge = (samples) => [...samples];

/** Who stops does not wait for marks. */
function whenStopped(signal: AbortSignal): Promise<Judge> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(UNJUDGED), { once: true });
  });
}

/** Likeliest tokens that are shown beside each. */
const RIVALS = 5;
/** Between two tellings, since a page draws no faster. */
const TELL_MS = 50;

/** Tells tokens a few at a time. */
function teller(told: (tokens: CameToken[]) => void) {
  let [waiting, last]: [CameToken[], number] = [[], 0];
  const tell = (): void => {
    if (waiting.length > 0) told(waiting);
    waiting = [];
    last = performance.now();
  };
  return {
    add(token: CameToken): void {
      waiting.push(token);
      if (performance.now() - last > TELL_MS) tell();
    },
    end: tell,
  };
}

export function createSampler(home: Home, device: DeviceWish): Sampler {
  let open:
    | {
        readonly path: string;
        readonly model: Model;
        /** Reads the data again, once it is asked. */
        readonly judge: () => Promise<Judge>;
        /** Nobody waits for the judge any more. */
        readonly left: AbortController;
      }
    | undefined;

  async function opened(id: string) {
    const folder = await home.model(id);
    const path = folder?.path ?? id;
    if (open?.path === path) return open;
    await forget();
    const model = await load(id, folder);
    const left = new AbortController();
    let judging: Promise<Judge> | undefined;
    const judge = (): Promise<Judge> => {
      judging ??= judgeFor(id, model, left.signal).catch(() => UNJUDGED);
      return judging;
    };
    open = { path, model, judge, left };
    return open;
  }

  /** A run's model, or corrections to the one that it began with, or that one alone. */
  async function load(id: string, folder: Folder | undefined): Promise<Model> {
    const corrected = folder && (await exists(folder, ADAPTER_CONFIG));
    if (folder && !corrected) return loadModel(BROWSER, folder, { device });
    let model = (await home.base(id)) ?? userError("the model that this run began with is gone");
    if (folder) {
      const { files, close } = await openFiles(folder, () => true);
      const { withCorrections } = await import("../../../src/run/open-model.ts");
      model = await withCorrections(model, files, folder.path).finally(close);
    }
    return createModelOf(model, { environment: BROWSER, openDevice: (signal) => BROWSER.openDevice(device, signal) });
  }

  /** The same at each of a run's checkpoints. Of the run that was asked for last. */
  let reading: { readonly id: string; readonly reader: Promise<PromptReader> } | undefined;

  function readerOf(id: string): Promise<PromptReader> {
    if (reading?.id === id) return reading.reader;
    const mine = { id, reader: openReader(id) };
    reading = mine;
    // One that did not open is tried again.
    mine.reader.catch(() => {
      if (reading === mine) reading = undefined;
    });
    return mine.reader;
  }

  async function openReader(id: string): Promise<PromptReader> {
    const model = await load(id, await home.model(id));
    const { tokenizer, config } = model;
    const { startToken } = partsOf(model).source!;
    await model.close();
    return { tokenizer, config, startToken };
  }

  async function forget(): Promise<void> {
    const before = open;
    open = undefined;
    before?.left.abort(new StoppedError("the model is closed"));
    await before?.model.close();
  }

  /** Once more, on another device, where this one is lost: a text is a function of its seed. */
  async function inSpiteOfLoss<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof DeviceLostError)) throw error;
      await forget();
      return act();
    }
  }

  async function judgeFor(id: string, model: Model, signal: AbortSignal): Promise<Judge> {
    const sources = await home.sources(id);
    const bytes = sources.reduce((sum, { size }) => sum + size, 0);
    if (bytes > MOST_JUDGED_BYTES || sources.length === 0) {
      for (const source of sources) await source.close();
      return UNJUDGED;
    }
    const { said, base } = await home.about(id);
    const { settings } = settingsOf(said, { base: base?.title });
    const started = await home.base(id);
    const plan = await planOf({
      sources,
      settings,
      model: started,
      tokenizer: model.tokenizer,
      notice: () => {},
      signal,
    });
    const judge = judgeOf(plan);
    await plan.data.close();
    await started?.close();
    return judge;
  }

  const sampler: Sampler = {
    forget,
    async sample(
      { id, prompt, count, temperature, topK, topP, minP, repetitionPenalty, seed, maxNewTokens },
      signal,
      told,
    ) {
      const { model, judge } = await opened(id);
      const sampling = temperature === 0 ? {} : { doSample: true, temperature, topK, topP, minP };
      const options: TextOptions = { ...sampling, repetitionPenalty, seed, maxNewTokens, ...PROMPT_OPTIONS, signal };
      const tokens = model.streamAll([prompt], {
        ...options,
        numReturnSequences: count,
        logProbabilities: true,
        topLogProbabilities: RIVALS + 1,
      });
      const { eosTokenId } = model.config;
      const ends = new Set([model.tokenizer.endId, ...(eosTokenId === null ? [] : [eosTokenId].flat())]);
      const chance = ({ id, logProbability }: TokenLogProbability): Chance => {
        const end = ends.has(id);
        return { text: end ? "" : model.tokenizer.decode([id]), end, probability: Math.exp(logProbability) };
      };
      const shownToken = (id: number, logProbability: number, top: readonly TokenLogProbability[]): ShownToken => {
        const others = top.filter((one) => one.id !== id);
        return { ...chance({ id, logProbability }), rivals: others.slice(0, RIVALS).map(chance) };
      };
      const samples = Array.from({ length: count }, () => ({ text: "", tokens: [] as ShownToken[] }));
      const telling = teller(told);
      try {
        for (;;) {
          const next = await tokens.next();
          if (!next.done) {
            const { sequence, id, text = "", logProbability, topLogProbabilities } = next.value;
            const sample = samples[sequence]!;
            // A token may end a character that one before it began.
            const token = {
              ...shownToken(id, logProbability!, topLogProbabilities!),
              text: text.slice(sample.text.length),
              end: false,
            };
            sample.text = text;
            sample.tokens.push(token);
            telling.add({ ...token, sample: sequence });
            continue;
          }
          // Only now, since reading data of megabytes keeps tokens from coming.
          const known = await Promise.race([judge(), whenStopped(signal)]);
          const judged = known(
            next.value.map(({ text = "", stopped }) => ({ prompt, text, ended: stopped === "end" })),
          );
          return judged.map((one, i) => {
            const { ids, endId, logProbabilities, topLogProbabilities, text = "" } = next.value[i]!;
            const { tokens } = samples[i]!;
            const rest = text.slice(samples[i]!.text.length);
            const last = tokens.at(-1);
            // What was left of a character that never ended.
            if (rest !== "" && last) tokens[tokens.length - 1] = { ...last, text: last.text + rest };
            if (endId === undefined) return { ...one, tokens };
            const at = ids.length;
            const end = shownToken(endId, logProbabilities![at]!, topLogProbabilities![at]!);
            return { ...one, tokens: [...tokens, { ...end, text: "", end: true }] };
          });
        }
      } finally {
        telling.end();
        await tokens.return([]);
      }
    },
    prompt: async ({ id, prompt, maxNewTokens }) => readPrompt(await readerOf(id), prompt, maxNewTokens),
    model: async (id) => (await opened(id)).model,
    async zip(id) {
      const model = await load(id, await home.model(id));
      try {
        return await model.toZip();
      } finally {
        await model.close();
      }
    },
  };
  return { ...sampler, sample: (...wish) => inSpiteOfLoss(() => sampler.sample(...wish)) };
}
