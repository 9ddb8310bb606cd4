import { f32 } from "../../src/kernels/op.ts";
import { topCase, topTokensOp } from "../../src/kernels/top-tokens.ts";
import { checkOp } from "../support/check.ts";

const wide = { ...f32([64, 1000]), scale: 3 };

checkOp(topTokensOp, {
  gpuCases: [
    topCase(6, wide),
    topCase(9),
    // equal logits: the lower id comes first
    topCase(4, { ...f32([4, 9]), values: Array.from({ length: 36 }, (_, i) => i % 3) }),
    topCase(1, f32([4, 1])),
    topCase(2, { ...f32([4, 300]), values: Array.from({ length: 1200 }, (_, i) => 900 + Math.sin(i)) }),
  ],
});

checkOp(topTokensOp, { gpuCases: [topCase(5, wide)], traits: { software: false, maxGroupsPerDimension: 11 } });
