import { SingleBar } from "cli-progress";
import pc from "picocolors";
import { userError } from "../../core/errors.ts";
import { byteTokenizer } from "../../text/byte.ts";
import { charTokenizerOf } from "../../text/char.ts";
import { gpt2Tokenizer } from "../../text/gpt2.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { type OpenData, openData, type TokenizerOf } from "../data/source.ts";
import type { DataListener } from "../data/tokens.ts";
import type { TrainSettings } from "../settings/table.ts";

/** Opens the data that settings name; `given`: the tokenizer of a model that is fine-tuned. */
export async function openTrainingData(
  settings: TrainSettings,
  given: Tokenizer | undefined,
  { dry }: { readonly dry: boolean },
): Promise<OpenData> {
  const files = settings.data ?? userError("train: wanted --data FILES, or --preset emails, which has some");
  const bar = createBar();
  try {
    return await openData(
      {
        files,
        format: settings.dataFormat,
        textColumn: settings.textColumn,
        promptColumn: settings.promptColumn,
        completionColumn: settings.completionColumn,
        maskPrompt: settings.maskPrompt,
        stream: settings.stream,
        evalFiles: settings.evalData,
        evalSplit: settings.evalSplit,
        seed: settings.seed,
        contextLength: settings.nPositions,
        dry,
      },
      given ?? tokenizerOf(settings),
      bar.listener,
    );
  } finally {
    bar.stop();
  }
}

/** One long text needs no end token: nothing in it ends. */
function tokenizerOf({ tokenizer, stream }: TrainSettings): TokenizerOf {
  return async (alphabet) => {
    if (tokenizer === "gpt2") return gpt2Tokenizer();
    if (tokenizer === "byte") return byteTokenizer();
    const endToken = !stream;
    return charTokenizerOf(await alphabet({ endToken }), { endToken });
  };
}

/** A bar for each pass over the data that takes long enough to be seen. */
function createBar(): { listener: DataListener; stop(): void } {
  let bar: { work: string; shown: SingleBar } | undefined;
  const stop = (): void => {
    bar?.shown.stop();
    bar = undefined;
  };
  const listener: DataListener = {
    progress(work, done, total) {
      if (!process.stdout.isTTY) return;
      if (bar?.work !== work) {
        stop();
        bar = {
          work,
          shown: new SingleBar({ format: `${work} {bar} {percentage}%  {eta_formatted} left`, clearOnComplete: true }),
        };
        bar.shown.start(total, 0);
      }
      bar.shown.update(done);
    },
    notice(line) {
      stop();
      console.log(pc.yellow(line));
    },
  };
  return { listener, stop };
}
