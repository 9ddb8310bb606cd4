import { HEALTHY } from "./gradient-norm.ts";
import { type CaseInput, defineOp, expectType, f32, type TensorType, type Value } from "./op.ts";

/** The scale, a power of 2, and how many steps in a row were good with it. */
export const SCALER: TensorType = f32([2]);

/** What a run begins with, as torch.amp.GradScaler does. */
export const INITIAL_SCALER = Float32Array.of(65536, 0);

/** The least loss scale: a step that is not finite with it does not suffer from its scale. */
export const LEAST_SCALE = 1;

export const MOST_SCALE = 2 ** 24;

/**
 * Dynamic loss scaling (Micikevicius et al. 2018) as torch.amp.GradScaler does it. In mixed precision losses are multiplied by
 * the scale before they are differentiated, so that small gradients are not lost in f16, and `gradientNorm` takes it out
 * again. A step that was not finite is left out and halves the scale; `interval` good ones in a row double it.
 * Powers of 2 round nothing. stats: [4] of gradientNorm; scaler: [2], updated in place.
 */
export const lossScalerOp = defineOp({
  name: "lossScaler",
  inputs: ["scaler", "stats"],
  outputs: ["newScaler"],
  updates: { newScaler: "scaler" },
  attrs: { interval: 2000 },
  shapes: ({ scaler, stats }) => {
    expectType("lossScaler", "scaler", scaler, "f32", SCALER.shape);
    expectType("lossScaler", "stats", stats, "f32", [4]);
    return { newScaler: SCALER };
  },
  cpu: ({ stats }, { newScaler }, { interval }) => {
    const [scale = 0, steps = 0] = newScaler.data;
    const good = steps + 1;
    if (stats.data[HEALTHY] !== 1) newScaler.data.set([Math.max(scale / 2, LEAST_SCALE), 0]);
    else if (good >= interval) newScaler.data.set([Math.min(scale * 2, MOST_SCALE), 0]);
    else newScaler.data[1] = good;
  },
  cost: () => ({ flops: 1, bytes: 16 }),
  cases: [
    { inputs: exampleOf([1024, 7], 1), attrs: { interval: 9 } },
    { inputs: exampleOf([1024, 8], 1), attrs: { interval: 9 } },
    { inputs: exampleOf([1024, 8], 0), attrs: { interval: 9 } },
    { inputs: exampleOf([1, 0], 0) },
    { inputs: exampleOf([MOST_SCALE, 2000], 1) },
  ],
});

function exampleOf(scaler: readonly number[], healthy: number): Record<string, CaseInput> {
  return { scaler: { ...SCALER, values: scaler }, stats: { ...f32([4]), values: [3, 0.5, healthy, 0] } };
}

/** Updates `scaler` in place. */
export function lossScaler(scaler: Value, stats: Value): void {
  lossScalerOp.apply({ scaler, stats });
}
