import type { Tokenizer } from "./tokenizer.ts";

/** `ids` after what texts start with, which is not there twice where they begin with it themselves. */
export function startedWith(start: readonly number[], ids: Int32Array): number[] {
  const begun = start.length > 0 && start.every((id, i) => ids[i] === id);
  return begun ? [...ids] : [...start, ...ids];
}

/** What a new text starts from: the start token; where there is none, a line's end or else the first character. */
export function startOf(tokenizer: Tokenizer): number[] {
  if (tokenizer.startIds.length > 0) return [...tokenizer.startIds];
  try {
    return [...tokenizer.encode("\n")];
  } catch {
    return [0];
  }
}

/** Token ids as they are found: an array that grows, four bytes an id. */
export interface IdBuffer {
  push(id: number): void;
  pushAll(ids: Int32Array): void;
  finish(): Int32Array<ArrayBuffer>;
}

export function idBuffer(): IdBuffer {
  let ids = new Int32Array(1024);
  let length = 0;
  const reserve = (more: number) => {
    if (length + more <= ids.length) return;
    const grown = new Int32Array(Math.max(2 * ids.length, length + more));
    grown.set(ids);
    ids = grown;
  };
  return {
    push(id) {
      reserve(1);
      ids[length++] = id;
    },
    pushAll(more) {
      reserve(more.length);
      ids.set(more, length);
      length += more.length;
    },
    finish: () => ids.slice(0, length),
  };
}

/** The text of byte strings joined. A leading byte-order mark is text like any other. */
export function decodeUtf8(parts: readonly Uint8Array[]): string {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(joined);
}
