import { userError } from "../core/errors.ts";
import { addedTokens, specialToken } from "./added-tokens.ts";
import { addMerge, type Bpe, emptyBpe, mergeBytes, recoverMerges } from "./bpe.ts";
import { createTokenizer, type TokenizerParts } from "./create.ts";
import { gpt2Files } from "./gpt2-files.ts";
import type { IdBuffer } from "./ids.ts";
import { END_OF_TEXT, type Tokenizer } from "./tokenizer.ts";

/**
 * GPT-2's own pattern. White space is Unicode's property, as in Hugging Face's tokenizers: JavaScript's `\s` takes in
 * U+FEFF and leaves out U+0085.
 */
const PIECE =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** Pieces up to this many UTF-16 units are remembered, and this many of them. */
const CACHED_LENGTH = 32;
const CACHED_PIECES = 1 << 16;

const UTF8 = new TextEncoder();

/**
 * GPT-2's tokenizer: 50,257 ids, of which 50,256 is `<|endoftext|>`. The half-megabyte of tokens is loaded when this is called; the merges
 * are recovered from them.
 */
export async function gpt2Tokenizer(): Promise<Tokenizer> {
  const { GPT2_TEXTS, GPT2_BYTES } = await import("./gpt2-tokens.gen.ts");
  const others = GPT2_BYTES.split(" ").values();
  const tokens = GPT2_TEXTS.split("\n").map((text) =>
    text === "" ? bytesOf(others.next().value!) : UTF8.encode(text),
  );
  const bpe = recoverMerges(tokens);
  const end = specialToken(END_OF_TEXT, tokens.length);
  return bpeTokenizer(bpe, {
    tokens: [...tokens, UTF8.encode(END_OF_TEXT)],
    added: addedTokens([end]),
    endId: end.id,
    files: (contextLength) => gpt2Files(bpe, end, contextLength),
  });
}

function bytesOf(hexadecimal: string): Uint8Array {
  return Uint8Array.from(hexadecimal.match(/../g)!, (byte) => Number.parseInt(byte, 16));
}

/**
 * The byte-level BPE of the contents of `vocab.json` and `merges.txt`. `tokens`: the bytes of each entry, by id.
 * Throws `UserError` when they do not agree.
 */
export function bpeOf(
  vocab: ReadonlyMap<string, number>,
  tokens: readonly (Uint8Array | undefined)[],
  merges: readonly (readonly [left: string, right: string])[],
): Bpe {
  const bpe = emptyBpe(tokens);
  for (const [rank, [left, right]] of merges.entries()) {
    const [a, b, ab] = [vocab.get(left), vocab.get(right), vocab.get(left + right)];
    if (a === undefined || b === undefined || ab === undefined) {
      return userError(
        `merges: line ${rank + 1} joins ${quoted(left)} and ${quoted(right)}, but the vocabulary lacks one, or both joined`,
      );
    }
    addMerge(bpe, a, b, ab);
  }
  return bpe;
}

export function bpeTokenizer(bpe: Bpe, parts: Omit<TokenizerParts, "kind" | "name" | "encodeRun">): Tokenizer {
  const known = createPieces();
  return createTokenizer({
    ...parts,
    kind: "gpt2",
    name: "tokenizer",
    encodeRun(run, out) {
      for (const piece of pieces(run)) {
        if (known.push(piece, out)) continue;
        const ids = mergeBytes(bpe, UTF8.encode(piece));
        if (piece.length <= CACHED_LENGTH) known.add(piece, ids);
        out.pushAll(ids);
      }
    },
  });
}

/** Ids of the pieces seen last, in one array: an array for each would be larger than what is in it. */
function createPieces() {
  const all = new Int32Array(4 * CACHED_PIECES);
  /** Where a piece's ids begin, times 256, and how many they are. */
  const places = new Map<string, number>();
  let used = 0;
  return {
    push(piece: string, out: IdBuffer): boolean {
      const place = places.get(piece);
      if (place === undefined) return false;
      const start = place >>> 8;
      for (let i = start; i < start + (place & 255); i++) out.push(all[i]!);
      return true;
    },
    add(piece: string, ids: Int32Array): void {
      if (places.size >= CACHED_PIECES || used + ids.length > all.length) {
        places.clear();
        used = 0;
      }
      all.set(ids, used);
      // A copy: V8 keeps a part of a string as a view of the whole, which would stay in memory with it.
      places.set(` ${piece}`.slice(1), used * 256 + ids.length);
      used += ids.length;
    },
  };
}

/** V8's pattern matcher gives up on some 4 million characters beyond U+FFFF in one piece. */
function* pieces(run: string): Generator<string> {
  const matches = run.matchAll(PIECE);
  while (true) {
    let match: IteratorResult<RegExpExecArray>;
    try {
      match = matches.next();
    } catch {
      return userError("tokenizer: millions of characters without a space between; break the text into lines");
    }
    if (match.done) return;
    yield match.value[0];
  }
}

/** Text out of a file, for a message: on one line, and short. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
