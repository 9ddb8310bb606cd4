import type { NumericArray } from "../core/dtype.ts";
import { keyOf } from "../core/philox.ts";
import type { SamplingRules, ScoreRules } from "../core/processors.ts";

/** Columns of the state of the rows that are being continued, u32 [5, stride]. */
export const COLUMN = {
  /** The id that the model is fed next. */
  token: 0,
  /** Its position; one more is how many ids the row has. */
  position: 1,
  /** One of `FINISHED`. */
  finished: 2,
  /** Ids that the row has at least before an end token, prompt included. */
  least: 3,
  /** Ids that the row has at most, prompt included. */
  most: 4,
} as const;

/** Why a row is finished. */
export const FINISHED = { no: 0, end: 1, length: 2, context: 3, allBanned: 4, notFinite: 5 } as const;

/** Elements between columns: B, so rounded up that a view of a column can be bound. */
export function rowStride(B: number): number {
  return Math.ceil(B / 64) * 64;
}

/** Places in the settings; shaders/sample/common.wgsl names the same. Floats are stored as their float32 bits. */
const [SEED_LOW, SEED_HIGH, FIRST_ROW, DO_SAMPLE, TEMPERATURE, TOP_K] = [0, 1, 2, 3, 4, 5];
const [TOP_P, LOG_MIN_P, PENALTY, NGRAM_SIZE, ENDS, WORDS, VOCABULARY, LISTS] = [6, 7, 8, 9, 10, 11, 12, 13];

/** Settings come in lengths that are multiples of this, so that few plans serve all of them. */
const UNIT = 64;
/** More than any vocabulary. */
const ALL = 0xffffffff;
/** The logarithm of no min-p. */
const NONE = -3e38;

export interface SampleSettings extends ScoreRules, SamplingRules {
  readonly doSample: boolean;
  readonly seed: number;
  /** What row 0 draws as, where the rows are part of more. */
  readonly firstRow: number;
}

/**
 * Everything about choosing tokens that is the same for all rows, u32 [S]: thirteen words, the ids that end a sequence, then
 * for each bad word where its ids are and how many. What is left out changes nothing.
 */
export function packSettings(rules: Partial<SampleSettings>): Uint32Array<ArrayBuffer> {
  const { endIds = [], badWordsIds = [] } = rules;
  const idsAt = LISTS + endIds.length + 2 * badWordsIds.length;
  const length = badWordsIds.reduce((sum, word) => sum + word.length, idsAt);
  const words = new Uint32Array(Math.ceil(length / UNIT) * UNIT);
  const floats = new Float32Array(words.buffer);
  [words[SEED_LOW], words[SEED_HIGH]] = keyOf(rules.seed ?? 0);
  words[FIRST_ROW] = rules.firstRow ?? 0;
  words[DO_SAMPLE] = rules.doSample ? 1 : 0;
  floats[TEMPERATURE] = rules.temperature ?? 1;
  words[TOP_K] = rules.topK ?? 0;
  floats[TOP_P] = rules.topP ?? 1;
  floats[LOG_MIN_P] = rules.minP ? Math.log(rules.minP) : NONE;
  floats[PENALTY] = rules.repetitionPenalty ?? 1;
  words[NGRAM_SIZE] = rules.noRepeatNgramSize ?? 0;
  words[ENDS] = endIds.length;
  words[WORDS] = badWordsIds.length;
  words[VOCABULARY] = rules.vocabulary ?? ALL;
  words.set(endIds, LISTS);
  let at = idsAt;
  badWordsIds.forEach((word, i) => {
    words.set([at, word.length], LISTS + endIds.length + 2 * i);
    words.set(word, at);
    at += word.length;
  });
  return words;
}

/** What was packed, for the CPU reference; `minLength` is a matter of each row. */
export function unpackSettings(data: NumericArray) {
  const words = Uint32Array.from(data);
  const floats = new Float32Array(words.buffer);
  const ends = words[ENDS]!;
  return {
    key: [words[SEED_LOW]!, words[SEED_HIGH]!] as const,
    firstRow: words[FIRST_ROW]!,
    doSample: words[DO_SAMPLE] !== 0,
    temperature: floats[TEMPERATURE]!,
    topK: words[TOP_K]!,
    topP: floats[TOP_P]!,
    minP: floats[LOG_MIN_P]! > NONE / 2 ? Math.exp(floats[LOG_MIN_P]!) : 0,
    repetitionPenalty: floats[PENALTY]!,
    noRepeatNgramSize: words[NGRAM_SIZE]!,
    endIds: Array.from(words.subarray(LISTS, LISTS + ends)),
    badWordsIds: Array.from({ length: words[WORDS]! }, (_, i) => {
      const [start = 0, length = 0] = words.subarray(LISTS + ends + 2 * i, LISTS + ends + 2 * i + 2);
      return Array.from(words.subarray(start, start + length));
    }),
    vocabulary: words[VOCABULARY]!,
    minLength: 0,
  };
}
