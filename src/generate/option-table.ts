/** Below it, logits over the temperature overflow float32. */
export const LEAST_TEMPERATURE = 1e-3;

/** What each option may be: whole or not, from where to where, and whether the least value is left out. */
export const NUMBERS: Readonly<Record<string, readonly [least: number, most: number, whole: boolean, open?: boolean]>> =
  {
    maxNewTokens: [1, 2 ** 31, true],
    maxLength: [1, 2 ** 31, true],
    minNewTokens: [0, 2 ** 31, true],
    minLength: [0, 2 ** 31, true],
    temperature: [0, 1e6, false],
    topK: [0, 2 ** 31, true],
    topP: [0, 1, false, true],
    minP: [0, 1, false],
    repetitionPenalty: [1e-3, 1e3, false],
    noRepeatNgramSize: [0, 2 ** 31, true],
    numBeams: [1, 2 ** 16, true],
    numReturnSequences: [1, 2 ** 24, true],
    lengthPenalty: [-1e3, 1e3, false],
    seed: [0, Number.MAX_SAFE_INTEGER, true],
    topLogProbabilities: [0, 100, true],
  };
const OTHERS = [
  "doSample",
  "badWordsIds",
  "eosTokenId",
  "earlyStopping",
  "stopStrings",
  "tokenizer",
  "kvBits",
  "logProbabilities",
];

/** Every option's name. */
export const OPTION_NAMES: readonly string[] = [...Object.keys(NUMBERS), ...OTHERS];
