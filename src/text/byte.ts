import { addedTokens, specialToken } from "./added-tokens.ts";
import { bytesToVisible } from "./byte-level.ts";
import { createTokenizer, type TokenizerParts } from "./create.ts";
import { bpeModel } from "./gpt2-files.ts";
import { END_OF_TEXT, type Tokenizer } from "./tokenizer.ts";
import { tokenizerConfigJson, tokenizerJson } from "./tokenizer-json.ts";

const END_ID = 256;
const END = specialToken(END_OF_TEXT, END_ID);
const BYTES: readonly Uint8Array[] = Array.from({ length: END_ID }, (_, byte) => Uint8Array.of(byte));
const UTF8 = new TextEncoder();

/** One id per byte of UTF-8, which is the id, and 256 for `<|endoftext|>`. Encodes any text. */
export function byteTokenizer(): Tokenizer {
  return byteTokenizerOf({
    tokens: [...BYTES, UTF8.encode(END_OF_TEXT)],
    added: addedTokens([END]),
    endId: END_ID,
    files: byteFiles,
  });
}

/** As `byteTokenizer`, with other tokens after the 256 bytes. */
export function byteTokenizerOf(parts: Omit<TokenizerParts, "kind" | "name" | "encodeRun">): Tokenizer {
  return createTokenizer({
    ...parts,
    kind: "byte",
    name: "byte tokenizer",
    encodeRun: (run, out) => out.pushAll(Int32Array.from(UTF8.encode(run))),
  });
}

/** For Hugging Face it is a byte-level BPE without merges. */
function byteFiles(contextLength?: number): Map<string, Uint8Array> {
  const vocab = [...BYTES.map(bytesToVisible), END_OF_TEXT];
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };
  return new Map([
    [
      "tokenizer.json",
      tokenizerJson([END], { pre_tokenizer: byteLevel, decoder: byteLevel, model: bpeModel([]), vocab }),
    ],
    ["tokenizer_config.json", tokenizerConfigJson("PreTrainedTokenizerFast", contextLength)],
  ]);
}
