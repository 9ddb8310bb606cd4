import { embeddingBackwardOp, embeddingOp } from "../../src/kernels/embedding.ts";
import { checkOp } from "../support/check.ts";

checkOp(embeddingBackwardOp);
checkOp(embeddingOp);
