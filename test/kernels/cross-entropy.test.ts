import { crossEntropyBackwardOp, crossEntropyOp } from "../../src/kernels/cross-entropy.ts";
import { checkOp } from "../support/check.ts";

checkOp(crossEntropyBackwardOp);
checkOp(crossEntropyOp);
