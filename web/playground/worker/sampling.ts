/** Texts of a stored run's model, which stays loaded until another is asked for. */
import { BROWSER } from "../../../src/browser/environment.ts";
import { loadModel } from "../../../src/library/load.ts";
import type { Model, TextOptions } from "../../../src/library/model.ts";
import type { Folder } from "../../../src/storage/folder.ts";
import type { DeviceWish, Judged, SampleWish } from "../protocol.ts";
import { settingsOf } from "../settings.ts";
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
    if (open?.path === folder.path) return open;
    await forget();
    const model = await loadModel(BROWSER, folder, { device });
    open = { path: folder.path, model, judge: await judgeFor(id, model, folder) };
    return open;
  }

  async function forget(): Promise<void> {
    const before = open;
    open = undefined;
    await before?.model.close();
  }

  async function judgeFor(id: string, model: Model, _folder: Folder): Promise<Judge> {
    const sources = await home.sources(id);
    const bytes = sources.reduce((sum, { size }) => sum + size, 0);
    if (bytes > MOST_JUDGED_BYTES) {
      for (const source of sources) await source.close();
      return (samples) => [...samples];
    }
    const { settings } = settingsOf((await home.about(id)).said);
    const signal = new AbortController().signal;
    const plan = await planOf({ sources, settings, tokenizer: model.tokenizer, notice: () => {}, signal });
    const judge = judgeOf(plan);
    await plan.data.close();
    return judge;
  }

  return {
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
      const model = await loadModel(BROWSER, await home.model(id), { device });
      try {
        return await model.toZip();
      } finally {
        await model.close();
      }
    },
  };
}
