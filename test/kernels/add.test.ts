import { addOp } from "../../src/kernels/add.ts";
import { checkOp } from "../support/check.ts";

checkOp(addOp);
