import { describe } from "vitest";
import { attentionCase, cacheAppendOp, cachedAttentionOp, cacheTypes } from "../../src/kernels/cached-attention.ts";
import { f32 } from "../../src/kernels/op.ts";
import { checkOp } from "../support/check.ts";

const gpuCases = [
  attentionCase(2, 64, 130, [0, 1, 63, 64, 127, 128, 129], [3, 3, 3, 6, 6, 6, 6]),
  attentionCase(1, 128, 9, [8, 5]),
  attentionCase(3, 1, 6, [5]),
];

checkOp(cachedAttentionOp, { gpuCases });
checkOp(cacheAppendOp);

describe("prompts that do not fit one binding", () => {
  const cacheRows = { dtype: "u32", shape: [2], values: [2, 0] } as const;
  const inputs = { qkv: f32([22, 96]), cacheRows, ...cacheTypes(3, 11, 2, 16) };
  checkOp({ ...cacheAppendOp, cases: [] }, { gpuCases: [{ inputs }], traits: { maxBindingBytes: 4352 } });
});

describe("as on a hardware GPU, folded grids", () => {
  checkOp(cachedAttentionOp, { gpuCases, traits: { software: false, maxGroupsPerDimension: 4 } });
});
