import { describe } from "vitest";
import { columnSumOp } from "../../src/kernels/column-sum.ts";
import { f32 } from "../../src/kernels/op.ts";
import { checkOp } from "../support/check.ts";

const x = (...shape: number[]) => ({ inputs: { x: f32(shape) } });

checkOp(columnSumOp, { gpuCases: [x(0, 5), x(5, 0), x(1, 1), x(17, 64), x(1000, 65), x(300, 257)] });

describe("in one pass, as on a GPU", () => {
  const gpuCases = [x(0, 5), x(1, 1), x(17, 64), x(1000, 65), x(5000, 12)];
  checkOp({ ...columnSumOp, cases: columnSumOp.cases.slice(0, 1) }, { gpuCases, traits: { software: false } });
});

describe("with bindings of 4 KiB and grids of 3 groups", () => {
  checkOp(columnSumOp, { gpuCases: [x(250, 16)], traits: { maxBindingBytes: 4096, maxGroupsPerDimension: 3 } });
});
