import { attentionWeightsOp, weightsCase } from "../../src/kernels/attention-weights.ts";
import { checkOp } from "../support/check.ts";

checkOp(attentionWeightsOp, {
  gpuCases: [weightsCase({ batch: 3, heads: 4 }, [3 * 37, 3 * 32], [37, 1, 20])],
});

checkOp(attentionWeightsOp, {
  gpuCases: [weightsCase({ batch: 1, heads: 2 }, [70, 24], [70])],
  traits: { maxGroupsPerDimension: 20 },
});
