import type { Runtime } from "../runtime/runtime.ts";
import { logitsForm } from "./classifier.ts";
import type { StepOptions } from "./step.ts";

/** How a step is written for an executor; the results are the same in all but their last bits. */
export type StepForm = Pick<StepOptions, "logits" | "fused">;

export function stepForm({ traits, fused }: Pick<Runtime, "traits" | "fused">): StepForm {
  return { logits: logitsForm(traits), fused };
}
