/** What of a sum over ranks cannot hide behind the backward pass whose gradients it sums. */
import type { Gpt2Config } from "../src/model/config.ts";
import { layoutParameters } from "../src/model/parameters.ts";
import { rankSegments } from "../src/train/step.ts";

/** Of a step: until the first gradient there is nothing to send. */
const BACKWARD = 2 / 3;
const LEAST_SEGMENT = 7_000_000;
/** Of a model of several segments the first block, the token embedding and that of places: nothing is computed after them. */
const TAIL_SEGMENTS = 3;

export interface Trained {
  readonly parameters: number;
  /** Of them, those whose gradients are there only when there is nothing left to compute. */
  readonly tail: number;
}

export function trainedOf(config: Gpt2Config): Trained {
  const layout = layoutParameters(config);
  const segments = rankSegments(config, layout, {}, LEAST_SEGMENT);
  const lengths = segments.map(({ ranges }) => ranges.reduce((sum, { length }) => sum + length, 0));
  const tail = lengths.slice(-TAIL_SEGMENTS).reduce((sum, length) => sum + length, 0);
  return { parameters: layout.trained, tail };
}

/** Of `sum` milliseconds, those that are left after `compute`. */
export function exposed({ parameters, tail }: Trained, sum: number, compute: number): number {
  return Math.max((sum * tail) / parameters, sum - BACKWARD * compute);
}
