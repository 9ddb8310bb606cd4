import { UserError } from "../core/errors.ts";

/** The device had less memory than a plan wants. Nothing that was made for the plan is left. */
export class OutOfMemory extends UserError {
  override name = "OutOfMemory";

  constructor(message: string) {
    super(message, { kind: "memory" });
  }
}
