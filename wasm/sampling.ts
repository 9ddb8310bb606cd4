import { addressAt, intAt, words } from "./args";
import { exp4, loadTail, logOf, storeTail } from "./math";
import { philox, word0 } from "./random";
import { maximumOf, sumOfExp } from "./rows";

// The next token of each row, as shaders/sample/ has it: thresholds by a search of eight bits at a time, probabilities as whole
// numbers of 2^-31, whose sums depend on no order.

/** The score of a token that may not come; what is below BARRED is such a score. */
const BANNED: f32 = -3e38;
const BARRED: f32 = -1e38;
const UNIT: f64 = 2147483648;

// Places in the settings and in the rows' state; src/kernels/sample-settings.ts packs and describes them.
const SEED_LOW: i32 = 0;
const SEED_HIGH: i32 = 1;
const FIRST_ROW: i32 = 2;
const DO_SAMPLE: i32 = 3;
const TEMPERATURE: i32 = 4;
const TOP_K: i32 = 5;
const TOP_P: i32 = 6;
const LOG_MIN_P: i32 = 7;
const PENALTY: i32 = 8;
const NGRAM_SIZE: i32 = 9;
const ENDS: i32 = 10;
const WORDS: i32 = 11;
const VOCABULARY: i32 = 12;
const LISTS: i32 = 13;
const TOKEN: usize = 0;
const POSITION: usize = 1;
const FINISHED: usize = 2;
const LEAST: usize = 3;
const MOST: usize = 4;
const ENDED: u32 = 1;
const FULL: u32 = 2;
const CONTEXT_FULL: u32 = 3;
const ALL_BANNED: u32 = 4;
const NOT_FINITE: u32 = 5;

// @ts-ignore: decorator
@inline
function at(list: usize, n: i32): u32 {
  return load<u32>(list + words(n));
}

// @ts-ignore: decorator
@inline
function realAt(list: usize, n: i32): f32 {
  return load<f32>(list + words(n));
}

function allFinite(x: usize, count: i32): bool {
  const infinity = f32x4.splat(Infinity);
  let good = i32x4.splat(-1);
  let i = 0;
  for (; i + 4 <= count; i += 4) good = v128.and(good, f32x4.lt(f32x4.abs(v128.load(x + words(i))), infinity));
  if (i < count) good = v128.and(good, f32x4.lt(f32x4.abs(loadTail(x + words(i), count - i, 0)), infinity));
  return i32x4.all_true(good);
}

function ban(scores: usize, id: u32, V: i32): void {
  if (id < <u32>V) store<f32>(scores + words(id), BANNED);
}

/** scores = logits with the repetition penalty, then the bans of n-grams, of bad words, of an early end and of rows that no token has. */
function prepare(scores: usize, logits: usize, V: i32, history: usize, count: i32, settings: usize, early: bool): void {
  memory.copy(scores, logits, words(V));
  const penalty = realAt(settings, PENALTY);
  if (penalty != 1) {
    for (let t = 0; t < count; t++) {
      const id = min<u32>(at(history, t), <u32>(V - 1));
      const logit = realAt(logits, id);
      store<f32>(scores + words(id), logit < 0 ? logit * penalty : logit / penalty);
    }
  }
  const size = <i32>at(settings, NGRAM_SIZE);
  if (size > 0 && count >= size) {
    for (let t = 0; t + size <= count; t++) {
      if (same(history + words(t), history + words(count + 1 - size), size - 1)) ban(scores, at(history, t + size - 1), V);
    }
  }
  const ends = <i32>at(settings, ENDS);
  for (let i = 0; i < <i32>at(settings, WORDS); i++) {
    const word = <i32>at(settings, LISTS + ends + 2 * i);
    const length = <i32>at(settings, LISTS + ends + 2 * i + 1);
    if (length - 1 > count) continue;
    if (same(history + words(count - length + 1), settings + words(word), length - 1)) ban(scores, at(settings, word + length - 1), V);
  }
  if (early) for (let i = 0; i < ends; i++) ban(scores, at(settings, LISTS + i), V);
  for (let id = min<u32>(at(settings, VOCABULARY), <u32>V); id < <u32>V; id++) ban(scores, id, V);
}

function same(a: usize, b: usize, count: i32): bool {
  for (let i = 0; i < count; i++) if (at(a, i) != at(b, i)) return false;
  return true;
}

/** A whole number that is larger for a larger float. */
// @ts-ignore: decorator
@inline
function orderOf(x: f32): u32 {
  const bits = reinterpret<u32>(x);
  return bits >= 0x80000000 ? ~bits : bits | 0x80000000;
}

// @ts-ignore: decorator
@inline
function shareOf(weights: usize, id: i32, unit: f32): u32 {
  return <u32>(realAt(weights, id) * unit + 0.5);
}

/** UNIT over the sum of the weights of the scores whose order is at least `least`. */
function unitOf(scores: usize, weights: usize, V: i32, least: u32): f32 {
  let sum: f64 = 0;
  for (let id = 0; id < V; id++) if (orderOf(realAt(scores, id)) >= least) sum += <f64>realAt(weights, id);
  return <f32>(UNIT / sum);
}

/** The largest order such that the scores of at least that order reach `wanted`: in number, or in shares where unit > 0. */
function threshold(scores: usize, weights: usize, bins: usize, V: i32, least: u32, unit: f32, wanted: u32): u32 {
  let prefix: u32 = 0;
  let above: u32 = 0;
  for (let step = 0; step < 4; step++) {
    const shift: u32 = 24 - 8 * step;
    memory.fill(bins, 0, 1024);
    for (let id = 0; id < V; id++) {
      const order = orderOf(realAt(scores, id));
      if (order < least || (step > 0 && order >> (shift + 8) != prefix)) continue;
      const bin = bins + (<usize>((order >> shift) & 0xff) << 2);
      store<u32>(bin, load<u32>(bin) + (unit > 0 ? shareOf(weights, id, unit) : 1));
    }
    let digit = 255;
    while (digit > 0 && above + at(bins, digit) < wanted) {
      above += at(bins, digit);
      digit--;
    }
    prefix = (prefix << 8) | digit;
  }
  return max<u32>(prefix, least);
}

/** The first of the best scores. */
function bestOf(scores: usize, V: i32): i32 {
  let best = 0;
  for (let id = 1; id < V; id++) if (realAt(scores, id) > realAt(scores, best)) best = id;
  return best;
}

function sampled(scores: usize, weights: usize, bins: usize, V: i32, settings: usize, row: i32, count: i32, stream: u32): i32 {
  const temperature = f32x4.splat(realAt(settings, TEMPERATURE));
  const banned = f32x4.splat(BANNED);
  const barred = f32x4.splat(BARRED);
  let i = 0;
  for (; i + 4 <= V; i += 4) {
    const score = v128.load(scores + words(i));
    v128.store(scores + words(i), v128.bitselect(banned, f32x4.div(score, temperature), f32x4.lt(score, barred)));
  }
  if (i < V) {
    const score = loadTail(scores + words(i), V - i, 0);
    storeTail(scores + words(i), V - i, v128.bitselect(banned, f32x4.div(score, temperature), f32x4.lt(score, barred)));
  }
  const top = maximumOf(scores, V);
  const shift = f32x4.splat(top);
  for (i = 0; i + 4 <= V; i += 4) v128.store(weights + words(i), exp4(f32x4.sub(v128.load(scores + words(i)), shift)));
  if (i < V) storeTail(weights + words(i), V - i, exp4(f32x4.sub(loadTail(scores + words(i), V - i, 0), shift)));
  let least: u32 = 0;
  const topK = at(settings, TOP_K);
  if (topK > 0 && topK < <u32>V) least = threshold(scores, weights, bins, V, least, 0, topK);
  const topP = realAt(settings, TOP_P);
  if (topP < 1) {
    const unit = unitOf(scores, weights, V, least);
    least = threshold(scores, weights, bins, V, least, unit, max<u32>(1, <u32>(<f64>topP * UNIT)));
  }
  const logMinP = realAt(settings, LOG_MIN_P);
  if (logMinP > BARRED) least = max<u32>(least, orderOf(top + logMinP));
  const unit = unitOf(scores, weights, V, least);
  let total: u32 = 0;
  for (let id = 0; id < V; id++) if (orderOf(realAt(scores, id)) >= least) total += shareOf(weights, id, unit);
  philox(count, at(settings, FIRST_ROW) + row, stream, 0, at(settings, SEED_LOW), at(settings, SEED_HIGH));
  let left = <u32>((<u64>word0 * <u64>total) >> 32);
  for (let id = 0; id < V; id++) {
    if (orderOf(realAt(scores, id)) < least) continue;
    const share = shareOf(weights, id, unit);
    if (left < share) return id;
    left -= share;
  }
  return bestOf(scores, V);
}

/** args: B V T stride stream | logits settings history rows logProbabilities. A piece is a row. */
export function sampleToken(args: usize, piece: i32, scratch: usize): void {
  const V = intAt(args, 1);
  const T = intAt(args, 2);
  const stride = words(intAt(args, 3));
  const logits = addressAt(args, 5) + words(V) * <usize>piece;
  const settings = addressAt(args, 6);
  const history = addressAt(args, 7) + words(T) * <usize>piece;
  const state = addressAt(args, 8) + words(piece);
  const finished = state + FINISHED * stride;
  if (load<u32>(finished) != 0) return;
  const count = <i32>load<u32>(state + POSITION * stride) + 1;
  if (!allFinite(logits, V)) {
    store<u32>(finished, NOT_FINITE);
    return;
  }
  const bins = scratch;
  const scores = bins + 1024;
  const weights = scores + words(V + 4);
  prepare(scores, logits, V, history, count, settings, <u32>count < load<u32>(state + LEAST * stride));
  if (maximumOf(scores, V) < BARRED) {
    store<u32>(finished, ALL_BANNED);
    return;
  }
  const id =
    at(settings, DO_SAMPLE) != 0
      ? sampled(scores, weights, bins, V, settings, piece, count, <u32>intAt(args, 4))
      : bestOf(scores, V);
  const highest = maximumOf(logits, V);
  const log = <f64>(realAt(logits, id) - highest) - logOf(sumOfExp(logits, V, highest));
  store<u32>(history + words(count), id);
  store<f32>(addressAt(args, 9) + words(T) * <usize>piece + words(count), <f32>log);
  store<u32>(state + TOKEN * stride, id);
  store<u32>(state + POSITION * stride, count);
  let end: u32 = count + 1 >= T ? CONTEXT_FULL : 0;
  if (<u32>(count + 1) >= load<u32>(state + MOST * stride)) end = FULL;
  for (let i = 0; i < <i32>at(settings, ENDS); i++) if (at(settings, LISTS + i) == <u32>id) end = ENDED;
  store<u32>(finished, end);
}

/** args: B V T stride count | logits rows ids logProbabilities. A piece is a row. */
export function topTokens(args: usize, piece: i32, _scratch: usize): void {
  const V = intAt(args, 1);
  const T = intAt(args, 2);
  const stride = words(intAt(args, 3));
  const count = intAt(args, 4);
  const logits = addressAt(args, 5) + words(V) * <usize>piece;
  const state = addressAt(args, 6) + words(piece);
  if (load<u32>(state + FINISHED * stride) != 0) return;
  const place = words((piece * T + <i32>load<u32>(state + POSITION * stride) + 1) * count);
  const ids = addressAt(args, 7) + place;
  const logs = addressAt(args, 8) + place;
  const highest = maximumOf(logits, V);
  const logSum = logOf(sumOfExp(logits, V, highest));
  let last = -1;
  for (let n = 0; n < count; n++) {
    const lastOrder: u32 = last < 0 ? 0 : orderOf(realAt(logits, last));
    let best = -1;
    let bestOrder: u32 = 0;
    for (let id = 0; id < V; id++) {
      const order = orderOf(realAt(logits, id));
      const behind = last < 0 || order < lastOrder || (order == lastOrder && id > last);
      if (behind && (best < 0 || order > bestOrder)) {
        best = id;
        bestOrder = order;
      }
    }
    // where logits are not finite there may be no other
    last = best < 0 ? V - 1 : best;
    store<u32>(ids + words(n), last);
    store<f32>(logs + words(n), <f32>(<f64>(realAt(logits, last) - highest) - logSum));
  }
}
