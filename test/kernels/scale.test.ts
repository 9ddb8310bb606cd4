import { f32 } from "../../src/kernels/op.ts";
import { scaleOp } from "../../src/kernels/scale.ts";
import { checkOp } from "../support/check.ts";

// 5,000 elements are in two spans of a binding of 16 KiB.
const large = { inputs: { x: f32([5000]) }, attrs: { factor: 0.7 } };

checkOp(scaleOp, { gpuCases: [large], traits: { maxBindingBytes: 16384, maxGroupsPerDimension: 7 } });
