import { describe } from "vitest";
import { attentionCase, cacheAppendOp, cachedAttentionOp } from "../../src/kernels/cached-attention.ts";
import { checkOp } from "../support/check.ts";

const gpuCases = [
  attentionCase(2, 64, 130, [0, 1, 63, 64, 127, 128, 129], [3, 3, 3, 6, 6, 6, 6]),
  attentionCase(1, 128, 9, [8, 5]),
  attentionCase(3, 1, 6, [5]),
];

checkOp(cachedAttentionOp, { gpuCases });
checkOp(cacheAppendOp);

describe("as on a hardware GPU, folded grids", () => {
  checkOp(cachedAttentionOp, { gpuCases, traits: { software: false, maxGroupsPerDimension: 4 } });
});
