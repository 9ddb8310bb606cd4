import {
  applySamplingRules,
  applyScoreRules,
  bestOf,
  type SamplingRules,
  type ScoreRules,
  softmax,
} from "../core/processors.ts";

/** How the next token is chosen: the rules for scores, then greedy or sampled. */
export interface NextTokenRules extends ScoreRules, SamplingRules {
  readonly doSample: boolean;
}

/** Rules that change nothing; greedy. */
export const NO_RULES: NextTokenRules = {
  repetitionPenalty: 1,
  noRepeatNgramSize: 0,
  badWordsIds: [],
  endIds: [],
  minLength: 0,
  doSample: false,
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
};

/**
 * The distribution that the next token is drawn from, in float64: softmax of what the rules leave of the logits. Without
 * sampling all weight is on the first of the best. `ids`: prompt and output so far.
 */
export function nextTokenDistribution(
  logits: ArrayLike<number>,
  ids: readonly number[],
  rules: Partial<NextTokenRules>,
): Float64Array {
  const all = { ...NO_RULES, ...rules };
  const scores = Float64Array.from(logits);
  applyScoreRules(scores, ids, all);
  if (!all.doSample) {
    const best = bestOf(scores);
    return scores.fill(0).map((_, i) => (i === best ? 1 : 0));
  }
  applySamplingRules(scores, all);
  return softmax(scores);
}
