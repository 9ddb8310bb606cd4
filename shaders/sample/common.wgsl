// Places in the settings and in the rows' state; src/kernels/sample-token.ts packs and describes them.
const SEED_LOW = 0u;
const SEED_HIGH = 1u;
const FIRST_ROW = 2u;
const DO_SAMPLE = 3u;
const TEMPERATURE = 4u;
const TOP_K = 5u;
const TOP_P = 6u;
const LOG_MIN_P = 7u;
const REPETITION_PENALTY = 8u;
const NGRAM_SIZE = 9u;
const ENDS = 10u;
const WORDS = 11u;
const VOCABULARY = 12u;
const LISTS = 13u;

// Columns of the rows' state.
const TOKEN = 0u;
const POSITION = 1u;
const FINISHED = 2u;
const LEAST = 3u;
const MOST = 4u;

// The score of a token that may not come; what is below BARRED is such a score.
const BANNED = -3e38;
const BARRED = -1e38;

struct Uniforms {
  B: u32,
  V: u32,
  T: u32,
  ROW_STRIDE: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;
