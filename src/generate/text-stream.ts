import { largest, smallest } from "../core/extremes.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** Turns the ids of one sequence into its text as they come. */
export interface TextStream {
  /** The text so far: whole characters only, and none of it after the first stop string, which is left out itself. */
  readonly text: string;
  /** Whether a stop string was met. */
  readonly stopped: boolean;
  push(id: number): void;
  /** No more ids come: bytes that make no character become U+FFFD. */
  end(): void;
}

/** Text out of ids as they come, in whole characters, up to the first of `stopStrings`. */
export function createTextStream(tokenizer: Pick<Tokenizer, "bytes">, stopStrings: readonly string[] = []): TextStream {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let text = "";
  let stopped = false;
  function append(more: string): void {
    if (stopped) return;
    // A stop string may have begun in what came before.
    const longest = largest(
      stopStrings.map((stop) => stop.length),
      0,
    );
    const searchFrom = Math.max(0, text.length - longest + 1);
    text += more;
    const found = stopStrings.map((stop) => text.indexOf(stop, searchFrom)).filter((at) => at >= 0);
    if (found.length === 0) return;
    stopped = true;
    text = text.slice(0, smallest(found));
  }
  return {
    get text() {
      return text;
    },
    get stopped() {
      return stopped;
    },
    push: (id) => append(decoder.decode(tokenizer.bytes(id), { stream: true })),
    end: () => append(decoder.decode()),
  };
}

/** Characters after which a word that has no end is shown all the same, as in languages that have no spaces. */
const LONGEST_WORD = 24;

/**
 * How much of `text` may be shown while more is to come: whole words, and nothing that a stop string may begin in.
 * The rest is to be shown once the sequence has ended.
 */
export function showableLength(text: string, stopStrings: readonly string[] = []): number {
  let most = text.length;
  for (const stop of stopStrings) {
    for (let length = Math.min(stop.length - 1, text.length); length > 0; length--) {
      if (text.endsWith(stop.slice(0, length))) most = Math.min(most, text.length - length);
    }
  }
  const wordStart = text.slice(0, most).search(/\S+$/u);
  const word = wordStart < 0 ? "" : text.slice(wordStart, most);
  const unspaced = word.length > LONGEST_WORD || /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}$/u.test(word);
  return wordStart < 0 || unspaced ? most : wordStart;
}
