import { specialToken } from "./added-tokens.ts";
import type { Bpe } from "./bpe.ts";
import { bytesToVisible } from "./byte-level.ts";
import { tokenizerConfigJson, tokenizerJson, vocabJson } from "./tokenizer-json.ts";

/** The four files of a byte-level BPE with one more token, the end's, which is in the vocabulary too, as GPT-2's is. */
export function gpt2Files(
  bpe: Bpe,
  end: { readonly content: string; readonly id: number },
  contextLength: number | undefined,
): Map<string, Uint8Array> {
  const entries: string[] = bpe.tokens.map((bytes) => bytesToVisible(bytes!));
  entries[end.id] = end.content;
  const merges = bpe.parts.map(([left, right]) => `${entries[left]} ${entries[right]}`);
  return new Map([
    [
      "tokenizer.json",
      tokenizerJson([specialToken(end.content, end.id)], {
        pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
        post_processor: { type: "ByteLevel", add_prefix_space: true, trim_offsets: false, use_regex: true },
        decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
        model: bpeModel(merges),
        vocab: entries,
      }),
    ],
    ["tokenizer_config.json", tokenizerConfigJson("GPT2Tokenizer", contextLength, end.content)],
    ["vocab.json", vocabJson(entries)],
    ["merges.txt", new TextEncoder().encode(`#version: 0.2\n${merges.join("\n")}\n`)],
  ]);
}

/** The `model` of a byte-level BPE in `tokenizer.json`, but for its vocabulary. */
export function bpeModel(merges: readonly string[]) {
  return {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: "",
    end_of_word_suffix: "",
    fuse_unk: false,
    byte_fallback: false,
    merges,
  };
}
