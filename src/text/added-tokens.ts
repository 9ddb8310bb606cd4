/**
 * Tokens that are found in a text before anything else, as Hugging Face's tokenizers find them (added_vocabulary.rs): first
 * those that are not `normalized`, then, in what lies between, the others; each time the leftmost, of these the longest.
 */

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Not a word of the text: left out where special tokens are skipped. */
  readonly special: boolean;
  /** Looked for after normalisation, and so after those that are not. */
  readonly normalized: boolean;
  /** Takes the white space before it, or after it, along. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Not inside a word. */
  readonly singleWord: boolean;
}

/** A special token as they are written here: no flags. */
export function specialToken(content: string, id: number): AddedToken {
  return { id, content, special: true, normalized: false, lstrip: false, rstrip: false, singleWord: false };
}

export interface AddedTokens {
  readonly tokens: readonly AddedToken[];
  /** Walks `text`, giving the runs between added tokens to `plain` and the ids of those to `added`. */
  split(text: string, plain: (run: string, start: number) => void, added: (id: number) => void): void;
  /** See `Tokenizer`. */
  divides(text: string, at: number): boolean;
  /** Whether `content` between two texts leaves the ids of both as they are. */
  separates(content: string): boolean;
}

/** Rust's \w, by Unicode's properties, which those tokenizers ask. */
const WORD_AT_END = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const WORD_AT_START = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const WHITE_SPACE = /\p{White_Space}/u;

export function addedTokens(all: readonly AddedToken[]): AddedTokens {
  const tokens = all.filter(({ content }) => content !== "");
  const passes = [false, true].flatMap((normalized) => {
    const chosen = tokens.filter((token) => token.normalized === normalized);
    return chosen.length === 0 ? [] : [createPass(chosen)];
  });
  function split(text: string, plain: (run: string, start: number) => void, added: (id: number) => void): void {
    const from = (pass: number, run: string, start: number): void => {
      const find = passes[pass];
      if (find === undefined) plain(run, start);
      else find(run, (piece, at) => from(pass + 1, piece, start + at), added);
    };
    if (text !== "") from(0, text, 0);
  }

  return {
    tokens,
    split,
    divides: (text, at) => !tokens.some((token) => reachesAcross(token, text, at)),
    separates(content) {
      const token = tokens.find((one) => one.content === content);
      if (token === undefined || token.lstrip || token.rstrip || token.singleWord) return false;
      if (WORD_AT_START.test(content) || WORD_AT_END.test(content) || WHITE_SPACE.test(content)) return false;
      // Another token might begin or end in it, or have it inside.
      return tokens.every((one) => one === token || !touches(one.content, content));
    },
  };
}

/** Finds the tokens of one pass in a run, as their `find_matches` does. */
function createPass(tokens: readonly AddedToken[]) {
  const byContent = new Map(tokens.map((token) => [token.content, token]));
  const longestFirst = [...byContent.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map(escapeRegExp).join("|"), "g");
  return (run: string, plain: (piece: string, start: number) => void, added: (id: number) => void): void => {
    let end = 0;
    for (const match of run.matchAll(pattern)) {
      const token = byContent.get(match[0])!;
      let [start, stop] = [match.index, match.index + match[0].length];
      if (token.singleWord && !standsAlone(run, start, stop)) continue;
      if (token.lstrip) {
        while (start > end && WHITE_SPACE.test(run[start - 1]!)) start--;
        start = Math.max(start, end);
      }
      if (token.rstrip) while (stop < run.length && WHITE_SPACE.test(run[stop]!)) stop++;
      if (start > end) plain(run.slice(end, start), end);
      // One of white space alone may have gone to the token before.
      if (stop > start) added(token.id);
      end = Math.max(end, stop);
    }
    if (end < run.length) plain(end === 0 ? run : run.slice(end), end);
  };
}

/** Two UTF-16 units beside a place hold the character there. */
function standsAlone(run: string, start: number, stop: number): boolean {
  return !WORD_AT_END.test(run.slice(Math.max(0, start - 2), start)) && !WORD_AT_START.test(run.slice(stop, stop + 2));
}

/** Whether a token may lie across place `at` of a text that goes on, or depend there on what is on the other side. */
function reachesAcross({ content, lstrip, rstrip, singleWord }: AddedToken, text: string, at: number): boolean {
  const maySitAt = (start: number): boolean => content.startsWith(text.slice(start, start + content.length));
  for (let before = 1; before < content.length && before <= at; before++) if (maySitAt(at - before)) return true;
  if (singleWord && (text.endsWith(content, at) || maySitAt(at))) return true;
  if (lstrip && at > 0 && WHITE_SPACE.test(text[at - 1]!)) return true;
  if (!rstrip || (at < text.length && !WHITE_SPACE.test(text[at]!))) return false;
  let end = at;
  while (end > 0 && WHITE_SPACE.test(text[end - 1]!)) end--;
  return text.endsWith(content, end);
}

function touches(a: string, b: string): boolean {
  const overlaps = (left: string, right: string): boolean => {
    for (let n = 1; n <= Math.min(left.length, right.length); n++) if (left.endsWith(right.slice(0, n))) return true;
    return false;
  };
  return a.includes(b) || overlaps(a, b) || overlaps(b, a);
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
