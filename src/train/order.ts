import { permutation, STREAM } from "../core/philox.ts";

/** Which records step `step` trains on. */
export interface StepRecords {
  readonly records: readonly number[];
  /** Passes over the data that are complete after this step, with the fraction of the present one. */
  readonly epoch: number;
}

/** Steps of one pass over the data; the last batch may be smaller. */
export function stepsPerEpoch(records: number, batchSize: number): number {
  return Math.ceil(records / batchSize);
}

/** The order of the data, a pure function of (seed, step): each epoch is a new permutation. */
export function createOrder(records: number, batchSize: number, seed: number): (step: number) => StepRecords {
  const perEpoch = stepsPerEpoch(records, batchSize);
  let cached = { epoch: -1, order: new Uint32Array(0) };
  return (step) => {
    const epoch = Math.floor(step / perEpoch);
    if (cached.epoch !== epoch) cached = { epoch, order: permutation(records, seed, STREAM.order, epoch) };
    const at = (step % perEpoch) * batchSize;
    return { records: [...cached.order.subarray(at, at + batchSize)], epoch: (step + 1) / perEpoch };
  };
}
