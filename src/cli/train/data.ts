import { userError } from "../../core/errors.ts";
import { encodeRecords, linesOf } from "../../data/records.ts";
import { type Sequences, sequencesOf, type TokenStream } from "../../data/sequence.ts";
import { byteTokenizer } from "../../text/byte.ts";
import { charTokenizer } from "../../text/char.ts";
import { gpt2Tokenizer } from "../../text/gpt2.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { readText } from "../files.ts";
import type { TrainSettings } from "../settings/table.ts";

export type TrainingSet =
  | { readonly kind: "records"; readonly sequences: Sequences }
  | { readonly kind: "stream"; readonly stream: TokenStream };

export interface TrainingData {
  readonly tokenizer: Tokenizer;
  readonly train: TrainingSet;
  readonly evaluation?: TrainingSet | undefined;
  readonly report: Readonly<Record<string, number>>;
  /** Whether a text is one of the records; undefined where nobody can say. */
  readonly has?: ((text: string) => boolean) | undefined;
  close(): Promise<void>;
}

/** Reads what settings name; `given`: the tokenizer of a model that is fine-tuned. */
export async function openTrainingData(settings: TrainSettings, given: Tokenizer | undefined): Promise<TrainingData> {
  const files = settings.data ?? userError("train: wanted --data FILES, or a --preset that has some, such as emails");
  const text = files.map(readText).join("\n");
  const tokenizer = given ?? (await createTokenizer(settings, text));
  if (settings.stream) {
    const ids = tokenizer.encode(text);
    const kept = Math.floor(ids.length * (1 - settings.evalSplit));
    const streamOf = (from: number, to: number): TrainingSet => ({
      kind: "stream",
      stream: { length: to - from, read: (start, count) => ids.subarray(from + start, from + start + count) },
    });
    const evaluation = settings.evalSplit > 0 ? streamOf(kept, ids.length) : undefined;
    return { tokenizer, train: streamOf(0, kept), evaluation, report: { tokens: ids.length }, async close() {} };
  }
  const lines = linesOf(text);
  const { sequences, report } = encodeRecords(lines, tokenizer, settings.nPositions);
  const known = new Set(lines);
  return {
    tokenizer,
    train: { kind: "records", sequences: sequencesOf(sequences) },
    report: { ...report },
    has: (line) => known.has(line),
    async close() {},
  };
}

async function createTokenizer({ tokenizer, stream }: TrainSettings, text: string): Promise<Tokenizer> {
  if (tokenizer === "gpt2") return gpt2Tokenizer();
  return tokenizer === "byte" ? byteTokenizer() : charTokenizer(text, { endToken: !stream });
}
