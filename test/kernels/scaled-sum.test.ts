import { scaledFillOp, scaledSumOp } from "../../src/kernels/scaled-sum.ts";
import { checkOp } from "../support/check.ts";

checkOp(scaledFillOp);
checkOp(scaledSumOp);
// As GPUs do it, and software drivers where there is much to add: a workgroup adds up.
checkOp(scaledSumOp, { traits: { software: false } });
