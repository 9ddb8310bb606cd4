import { scaledFillOp, scaledSumOp } from "../../src/kernels/scaled-sum.ts";
import { checkOp } from "../support/check.ts";

checkOp(scaledFillOp);
checkOp(scaledSumOp);
