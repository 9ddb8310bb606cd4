/** Texts of a stored run's model, which stays loaded until another is asked for. */
import { BROWSER } from "../../../src/browser/environment.ts";
import { DeviceLostError, userError } from "../../../src/core/errors.ts";
import { ADAPTER_CONFIG } from "../../../src/io/adapter.ts";
import { loadModel } from "../../../src/library/load.ts";
import { createModelOf, type Model, type TextOptions } from "../../../src/library/model.ts";
import { withCorrections } from "../../../src/run/model.ts";
import type { Folder } from "../../../src/storage/folder.ts";
import { exists, openFiles } from "../../../src/storage/read.ts";
import type { DeviceWish, Judged, SampleWish } from "../protocol.ts";
import { settingsOf } from "./check.ts";
import type { Home } from "./home.ts";
import { type Judge, judgeOf } from "./judge.ts";
import { planOf } from "./plan.ts";

export interface Sampler {
  /** One alone is told as it comes. */
  sample(wish: SampleWish, signal: AbortSignal, told: (text: string) => void): Promise<Judged[]>;
  zip(id: string): Promise<Blob>;
  /** Of a run that is removed, or trained on. */
  forget(): Promise<void>;
}

/** Data that are larger are not read again to see whether a sample is in them. */
const MOST_JUDGED_BYTES = 2 ** 24;

export function createSampler(home: Home, device: DeviceWish): Sampler {
  let open: { readonly path: string; readonly model: Model; readonly judge: Judge } | undefined;

  async function opened(id: string) {
    const folder = await home.model(id);
    const path = folder?.path ?? id;
    if (open?.path === path) return open;
    await forget();
    const model = await load(id, folder);
    open = { path, model, judge: await judgeFor(id, model) };
    return open;
  }

  /** A run's model, or corrections to the one that it began with, or that one alone. */
  async function load(id: string, folder: Folder | undefined): Promise<Model> {
    const corrected = folder && (await exists(folder, ADAPTER_CONFIG));
    if (folder && !corrected) return loadModel(BROWSER, folder, { device });
    let model = (await home.base(id)) ?? userError("the model that this run began with is gone");
    if (folder) {
      const { files, close } = await openFiles(folder, () => true);
      model = await withCorrections(model, files, folder.path).finally(close);
    }
    return createModelOf(model, { environment: BROWSER, openDevice: (signal) => BROWSER.openDevice(device, signal) });
  }

  async function forget(): Promise<void> {
    const before = open;
    open = undefined;
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

  async function judgeFor(id: string, model: Model): Promise<Judge> {
    const sources = await home.sources(id);
    const bytes = sources.reduce((sum, { size }) => sum + size, 0);
    if (bytes > MOST_JUDGED_BYTES || sources.length === 0) {
      for (const source of sources) await source.close();
      return (samples) => [...samples];
    }
    const { said, base } = await home.about(id);
    const { settings } = settingsOf(said, base?.title);
    const signal = new AbortController().signal;
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
    async sample({ id, prompt, count, temperature, topK, topP, seed, maxNewTokens }, signal, told) {
      const { model, judge } = await opened(id);
      const sampling = temperature === 0 ? {} : { doSample: true, temperature, topK, topP };
      const options: TextOptions = { ...sampling, seed, maxNewTokens, window: true, signal };
      if (count > 1) {
        const results = await model.generateIds([prompt], { ...options, numReturnSequences: count });
        return judge(results.map(({ text = "", stopped }) => ({ prompt, text, ended: stopped === "end" })));
      }
      const pieces = model.stream(prompt, options);
      let text = "";
      for (;;) {
        const next = await pieces.next();
        if (next.done) return judge([{ prompt, text, ended: next.value.stopped === "end" }]);
        text += next.value;
        told(text);
      }
    },
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
