/** What settings say of the data, wherever it comes from. */
import type { DataOptions, TokenizerOf } from "../data/open.ts";
import { byteTokenizer } from "../text/byte.ts";
import { charTokenizerOf } from "../text/char.ts";
import type { TrainSettings } from "./settings/table.ts";

/** How sources are read; which ones they are is for the caller to say. */
export function dataOptionsOf(settings: TrainSettings): Omit<DataOptions, "sources" | "evalSources" | "cache"> {
  return {
    format: settings.dataFormat,
    textColumn: settings.textColumn,
    promptColumn: settings.promptColumn,
    completionColumn: settings.completionColumn,
    maskPrompt: settings.maskPrompt,
    stream: settings.stream,
    evalSplit: settings.evalSplit,
    seed: settings.seed,
    contextLength: settings.nPositions,
  };
}

/** The tokenizer of a new model. One long text needs no end token: nothing in it ends. */
export function tokenizerOf({ tokenizer, stream }: Pick<TrainSettings, "tokenizer" | "stream">): TokenizerOf {
  return async (alphabet) => {
    if (tokenizer === "gpt2") return (await import("../text/gpt2.ts")).gpt2Tokenizer();
    if (tokenizer === "byte") return byteTokenizer();
    const endToken = !stream;
    return charTokenizerOf(await alphabet({ endToken }), { endToken });
  };
}
