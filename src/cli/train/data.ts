import { userError } from "../../core/errors.ts";
import type { OpenData } from "../../data/open.ts";
import type { DataListener } from "../../data/text-tokens.ts";
import { dataOptionsOf, tokenizerOf } from "../../run/data.ts";
import type { TrainSettings } from "../../run/settings/table.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { duration } from "../numbers.ts";
import { openDataFiles } from "../open-data.ts";
import { type Bar, terminal } from "../terminal.ts";

/** Opens the data that settings name; `given`: the tokenizer of a model that is fine-tuned. `signal` gives up; `dry`: nothing is written that stays. */
export async function openTrainingData(
  settings: TrainSettings,
  given: Tokenizer | undefined,
  { dry, signal }: { readonly dry: boolean; readonly signal: AbortSignal | undefined },
): Promise<OpenData> {
  const files = settings.data ?? userError("train: wanted --data FILES, or --preset emails, which has some", "usage");
  const bar = createBar();
  try {
    return await openDataFiles(
      {
        files,
        ...dataOptionsOf(settings),
        evalFiles: settings.evalData,
        cached: { dry },
      },
      given ?? tokenizerOf(settings),
      { ...bar.listener, signal },
    );
  } finally {
    bar.stop();
  }
}

/** A bar for each pass over the data that takes long enough to be seen. */
function createBar(): { listener: DataListener; stop(): void } {
  let shown: { work: string; bar: Bar; began: number } | undefined;
  const stop = (): void => {
    shown?.bar.stop();
    shown = undefined;
  };
  const listener: DataListener = {
    progress(work, done, total) {
      if (shown?.work !== work) {
        stop();
        shown = { work, bar: terminal.bar({ total, label: work }), began: performance.now() };
      }
      const seconds = (performance.now() - shown.began) / 1000;
      const left = done > 0 ? [{ text: `${duration((seconds / done) * (total - done))} left`, rank: 1 }] : [];
      shown.bar.update(done, left);
    },
    notice: terminal.warn,
  };
  return { listener, stop };
}
