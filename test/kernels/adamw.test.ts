import { adamwOp } from "../../src/kernels/adamw.ts";
import { checkOp } from "../support/check.ts";

// what decays ends at each place of a Pack
const example = adamwOp.cases[0]!;
const gpuCases = [5, 6, 7, 8].map((decayed) => ({ ...example, attrs: { ...example.attrs, decayed } }));

checkOp(adamwOp, { gpuCases });
