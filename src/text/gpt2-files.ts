import type { Bpe } from "./bpe.ts";
import { bytesToVisible } from "./byte-level.ts";
import { encodeJson, tokenizerConfigJson, tokenizerJson } from "./tokenizer-json.ts";

/** The four files of a byte-level BPE. The special tokens are in the vocabulary too, as GPT-2's end token is. */
export function gpt2Files(
  bpe: Bpe,
  specials: ReadonlyMap<string, number>,
  end: string,
  contextLength: number | undefined,
): Map<string, Uint8Array> {
  const entries: string[] = bpe.tokens.map(bytesToVisible);
  for (const [content, id] of specials) entries[id] = content;
  const vocab = Object.fromEntries(entries.map((entry, id) => [entry, id]));
  const merges = bpe.parts.map(([left, right]) => `${entries[left]} ${entries[right]}`);
  return new Map([
    [
      "tokenizer.json",
      tokenizerJson(specials, {
        pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
        post_processor: { type: "ByteLevel", add_prefix_space: true, trim_offsets: false, use_regex: true },
        decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
        model: bpeModel(vocab, merges),
      }),
    ],
    ["tokenizer_config.json", tokenizerConfigJson("GPT2Tokenizer", contextLength, end)],
    ["vocab.json", encodeJson(vocab)],
    ["merges.txt", new TextEncoder().encode(`#version: 0.2\n${merges.join("\n")}\n`)],
  ]);
}

/** The `model` of a byte-level BPE in `tokenizer.json`. */
export function bpeModel(vocab: Readonly<Record<string, number>>, merges: readonly string[]) {
  return {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: "",
    end_of_word_suffix: "",
    fuse_unk: false,
    byte_fallback: false,
    vocab,
    merges,
  };
}
