import { dropoutOp } from "../../src/kernels/dropout.ts";
import { checkOp } from "../support/check.ts";

checkOp(dropoutOp);
