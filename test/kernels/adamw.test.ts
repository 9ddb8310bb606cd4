import { adamwOp } from "../../src/kernels/adamw.ts";
import { checkOp } from "../support/check.ts";

checkOp(adamwOp);
