import { expect, test } from "vitest";
import { createBestKeeper } from "../../src/train/health.ts";

/** Steps that were the best so far, and how long nothing counted after each. */
function kept(threshold: number, losses: readonly number[]): { best: number[]; waited: number[] } {
  const keeper = createBestKeeper(threshold);
  const best: number[] = [];
  const waited = losses.map((loss, step) => {
    if (keeper.add(step, loss)) best.push(step);
    return keeper.waited;
  });
  return { best, waited };
}

test("the best evaluation is the lowest, by however little; waiting begins anew where it is lower by more than the threshold", () => {
  const losses = [3, 2.9, 2.8, 2, 2.5, Number.NaN, 1.9];
  expect(kept(0, losses)).toEqual({ best: [0, 1, 2, 3, 6], waited: [0, 0, 0, 0, 1, 2, 0] });
  // As transformers' EarlyStoppingCallback, which looks at the best one before.
  expect(kept(0.5, losses)).toEqual({ best: [0, 1, 2, 3, 6], waited: [0, 1, 2, 0, 1, 2, 3] });
});
