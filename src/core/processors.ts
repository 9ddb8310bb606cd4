/**
 * What `generate()` of Hugging Face's transformers does to the scores of the next token, in its order, as plain loops in
 * float64: repetition penalty, n-gram ban, bad words, least length, and rows that no token has; then, when sampling, temperature, top-k, top-p and
 * min-p. A banned token's score is -Infinity.
 */

/** Changes of scores that depend on the ids so far. */
export interface ScoreRules {
  /** 1: off. Each distinct id so far, prompt included: a score below 0 times this, else divided by it. */
  readonly repetitionPenalty: number;
  /** No run of this many ids occurs twice; 0: off. */
  readonly noRepeatNgramSize: number;
  /** Sequences of ids that never occur. */
  readonly badWordsIds: readonly (readonly number[])[];
  /** The ids that end a sequence. */
  readonly endIds: readonly number[];
  /** No end before this many ids, prompt included. */
  readonly minLength: number;
  /** Ids from here on are never drawn: rows of a padded embedding that no token has. Default: all may be. */
  readonly vocabulary?: number;
}

/** What sampling keeps of the distribution. */
export interface SamplingRules {
  /** Divides the scores; more than 0. */
  readonly temperature: number;
  /** Only this many of the best stay, and whatever ties with the last of them; 0: all. */
  readonly topK: number;
  /** The fewest best tokens whose probability reaches this stay, and ties with the last; at least one; 1: all. */
  readonly topP: number;
  /** Tokens less probable than this times the best one's probability go; 0: none. */
  readonly minP: number;
}

/** Applies `rules` to the scores in place. `ids`: prompt and output so far. */
export function applyScoreRules(scores: Float64Array, ids: readonly number[], rules: ScoreRules): void {
  penaliseRepetition(scores, ids, rules.repetitionPenalty);
  banRepeatedNgrams(scores, ids, rules.noRepeatNgramSize);
  banWords(scores, ids, rules.badWordsIds);
  if (ids.length < rules.minLength) for (const id of rules.endIds) ban(scores, id);
  scores.fill(Number.NEGATIVE_INFINITY, rules.vocabulary ?? scores.length);
}

function ban(scores: Float64Array, id: number): void {
  scores[id] = Number.NEGATIVE_INFINITY;
}

function penaliseRepetition(scores: Float64Array, ids: readonly number[], penalty: number): void {
  if (penalty === 1) return;
  for (const id of new Set(ids)) scores[id]! *= scores[id]! < 0 ? penalty : 1 / penalty;
}

/** Whether `part` stands in `ids` so that it ends before place `end`. */
function endsWith(ids: readonly number[], end: number, part: readonly number[]): boolean {
  return end >= part.length && part.every((id, i) => ids[end - part.length + i] === id);
}

function banRepeatedNgrams(scores: Float64Array, ids: readonly number[], size: number): void {
  if (size === 0 || ids.length < size) return;
  const start = ids.slice(ids.length - (size - 1));
  const beginning = size === 1 ? [] : start;
  for (let end = size - 1; end < ids.length; end++) if (endsWith(ids, end, beginning)) ban(scores, ids[end]!);
}

function banWords(scores: Float64Array, ids: readonly number[], words: readonly (readonly number[])[]): void {
  for (const word of words) if (endsWith(ids, ids.length, word.slice(0, -1))) ban(scores, word.at(-1)!);
}

/** Divides by the temperature, then bans what top-k, top-p and min-p leave out; in place. */
export function applySamplingRules(scores: Float64Array, rules: SamplingRules): void {
  for (let i = 0; i < scores.length; i++) scores[i]! /= rules.temperature;
  if (rules.topK > 0 && rules.topK < scores.length) {
    const best = Float64Array.from(scores).sort();
    banBelow(scores, best[best.length - rules.topK]!);
  }
  if (rules.topP < 1) banBelow(scores, nucleusThreshold(scores, rules.topP));
  if (rules.minP > 0) banBelow(scores, highest(scores) + Math.log(rules.minP));
}

function banBelow(scores: Float64Array, threshold: number): void {
  for (let i = 0; i < scores.length; i++) if (scores[i]! < threshold) ban(scores, i);
}

/** The least score that stays: what is better than it has less than `mass` of the probability (Holtzman et al. 2019). */
function nucleusThreshold(scores: Float64Array, mass: number): number {
  const best = Float64Array.from(scores).sort().reverse();
  const probabilities = softmax(best);
  let better = 0;
  let last = 0;
  for (let i = 0; i < best.length && (i === 0 || better < mass); i++) {
    last = i;
    better += probabilities[i]!;
  }
  return best[last]!;
}

function highest(scores: Float64Array): number {
  return scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}

/** exp(scores) over their sum; the maximum is subtracted first. */
export function softmax(scores: Float64Array): Float64Array {
  const top = highest(scores);
  const weights = scores.map((score) => Math.exp(score - top));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** log(softmax(scores)). */
export function logSoftmax(scores: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(scores);
  const top = highest(values);
  const logTotal = top + Math.log(values.reduce((sum, score) => sum + Math.exp(score - top), 0));
  return values.map((score) => score - logTotal);
}

/** The first of the best scores; -1 where all are banned. */
export function bestOf(scores: ArrayLike<number>): number {
  let best = -1;
  for (let i = 0; i < scores.length; i++) {
    if (scores[i] !== Number.NEGATIVE_INFINITY && (best < 0 || scores[i]! > scores[best]!)) best = i;
  }
  return best;
}

/** The token at `point` in [0, 1) of the cumulative distribution. */
export function tokenAt(probabilities: Float64Array, point: number): number {
  let cumulative = 0;
  let last = 0;
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i] === 0) continue;
    cumulative += probabilities[i]!;
    last = i;
    if (point < cumulative) return i;
  }
  return last;
}
