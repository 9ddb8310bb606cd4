import { keyOf, philox, STREAM } from "../core/philox.ts";

/** How the next token is drawn. */
export interface SamplingOptions {
  /** Divides the logits; 0 takes the most probable token. */
  readonly temperature: number;
  /** Only this many of the most probable tokens stay, ties with the last kept; 0 keeps all. */
  readonly topK: number;
}

/**
 * The distribution that sampling draws from: softmax(logits / temperature) over what top-k leaves. Float64.
 * Temperature 0 gives all weight to the first of the largest logits.
 */
export function samplingDistribution(logits: ArrayLike<number>, { temperature, topK }: SamplingOptions): Float64Array {
  const probabilities = new Float64Array(logits.length);
  let largest = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[largest]!) largest = i;
  if (temperature === 0) {
    probabilities[largest] = 1;
    return probabilities;
  }
  const threshold = topK > 0 && topK < logits.length ? kthLargest(logits, topK) : Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    if (logits[i]! < threshold) continue;
    probabilities[i] = Math.exp((logits[i]! - logits[largest]!) / temperature);
    sum += probabilities[i]!;
  }
  for (let i = 0; i < logits.length; i++) probabilities[i]! /= sum;
  return probabilities;
}

/** The token at `point` in [0, 1) of the cumulative distribution. */
export function drawToken(probabilities: Float64Array, point: number): number {
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

/** A uniform number in [0, 1), a function of (seed, sequence, position) alone. */
export function samplingPoint(seed: number, sequence: number, position: number): number {
  const [high, low] = philox([position, sequence, STREAM.sampling, 0], keyOf(seed));
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) * 2 ** -53;
}

function kthLargest(values: ArrayLike<number>, k: number): number {
  return Float64Array.from(values).sort()[values.length - k]!;
}
