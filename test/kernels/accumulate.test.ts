import { accumulateOp } from "../../src/kernels/accumulate.ts";
import { checkOp } from "../support/check.ts";

checkOp(accumulateOp);
