import type { Traits } from "../kernels/traits.ts";
import { logitsForm } from "./classifier.ts";
import type { StepOptions } from "./step.ts";

/** How a step is written for an adapter; the results are the same in all but their last bits. */
export type StepForm = Pick<StepOptions, "logits" | "fused">;

/** A GPU waits for memory and between dispatches; on a CPU fused ops would save little, and the usual ones have kernels of their own. */
export function stepForm(traits: Pick<Traits, "software" | "maxBindingBytes">): StepForm {
  return { logits: logitsForm(traits), fused: !traits.software };
}
