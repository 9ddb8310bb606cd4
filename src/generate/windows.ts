import type { Sequences, TokenStream } from "../data/sequence.ts";

/** A stretch of a text to score: `ids`, of which all from place `from` on count. */
export interface Window {
  readonly ids: readonly number[];
  /** Ids before this place are only read: the window before counted them, or they are a prompt. */
  readonly from: number;
}

/** Windows that are made when they are asked for. */
export interface Windows {
  readonly count: number;
  at(index: number): Window;
}

/**
 * Cuts a text into windows of at most `context` + 1 ids that overlap, so that each id but the first counts once and, `stride`
 * ids after a window's start, has at least context - stride ids before it. `before`: ids that the text is read after.
 */
export function streamWindows(
  stream: TokenStream,
  before: readonly number[],
  context: number,
  stride: number,
): Windows {
  const length = before.length + stream.length;
  const count = length < 2 ? 0 : 1 + Math.ceil(Math.max(0, length - context - 1) / stride);
  return {
    count,
    at(index) {
      const start = index * stride;
      const end = Math.min(length, start + context + 1);
      const [from, to] = [Math.max(0, start - before.length), end - before.length];
      const ids = [...before.slice(start, end), ...Array.from(stream.read(from, Math.max(0, to - from)))];
      return { ids, from: index === 0 ? 1 : context + 1 - stride };
    },
  };
}

/** As `streamWindows`, all of them, of ids that are at hand. */
export function slidingWindows(ids: readonly number[], context: number, stride: number): Window[] {
  const stream = { length: ids.length, read: (start: number, count: number) => ids.slice(start, start + count) };
  const { count, at } = streamWindows(stream, [], context, stride);
  return Array.from({ length: count }, (_, i) => at(i));
}

/** A window for each record; what of it is no prompt counts. */
export function recordWindows(sequences: Sequences): Windows {
  return {
    count: sequences.count,
    at(index) {
      const { ids, prompt } = sequences.read(index);
      return { ids: Array.from(ids), from: prompt ?? 1 };
    },
  };
}
