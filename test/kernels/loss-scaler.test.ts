import { lossScalerOp } from "../../src/kernels/loss-scaler.ts";
import { checkOp } from "../support/check.ts";

checkOp(lossScalerOp);
