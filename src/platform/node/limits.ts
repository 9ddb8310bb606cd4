import { userError } from "../../core/errors.ts";
import type { GpuLimits } from "../../gpu/device.ts";

/** The limits that $GPT2_LIMITS asks an adapter for; undefined: all that it has. Throws `UserError` where it is something else. */
export function wantedLimits(): GpuLimits | undefined {
  const wanted = process.env.GPT2_LIMITS || "adapter";
  if (wanted === "adapter") return undefined;
  return wanted === "default"
    ? {}
    : userError(`GPT2_LIMITS is ${wanted}; wanted default, or adapter for all that it has`, "usage");
}
