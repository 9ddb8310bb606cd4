import { userError } from "../core/errors.ts";
import { bytesToVisible } from "./byte-level.ts";
import { bpeModel } from "./gpt2-files.ts";
import { decodeUtf8, idBuffer, splitSpecials } from "./ids.ts";
import { END_OF_TEXT, type Tokenizer } from "./tokenizer.ts";
import { tokenizerConfigJson, tokenizerJson } from "./tokenizer-json.ts";

const END_ID = 256;
const SPECIALS = new Map([[END_OF_TEXT, END_ID]]);

/** One id per byte of UTF-8, which is the id, and 256 for `<|endoftext|>`. Encodes any text. */
export function byteTokenizer(): Tokenizer {
  const tokens = Array.from({ length: END_ID }, (_, byte) => Uint8Array.of(byte));
  tokens.push(new TextEncoder().encode(END_OF_TEXT));
  const bytes = (id: number) => tokens[id] ?? userError(`byte tokenizer: id ${id}; wanted 0 to ${END_ID}`);
  return {
    kind: "byte",
    vocabSize: tokens.length,
    endId: END_ID,
    encode(text) {
      const out = idBuffer();
      const plain = (run: string) => out.pushAll(Int32Array.from(new TextEncoder().encode(run)));
      splitSpecials(text, SPECIALS, plain, out.push);
      return out.finish();
    },
    decode: (ids) => decodeUtf8(Array.from(ids, bytes)),
    bytes,
    files: byteFiles,
  };
}

/** For Hugging Face it is a byte-level BPE without merges. */
function byteFiles(contextLength?: number): Map<string, Uint8Array> {
  const vocab: Record<string, number> = { [END_OF_TEXT]: END_ID };
  for (let byte = 0; byte < END_ID; byte++) vocab[bytesToVisible(Uint8Array.of(byte))] = byte;
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };
  return new Map([
    [
      "tokenizer.json",
      tokenizerJson(SPECIALS, { pre_tokenizer: byteLevel, decoder: byteLevel, model: bpeModel(vocab, []) }),
    ],
    ["tokenizer_config.json", tokenizerConfigJson("PreTrainedTokenizerFast", contextLength)],
  ]);
}
