import type { FloatDType, Format } from "../core/dtype.ts";
import { userError } from "../core/errors.ts";
import type { TensorType } from "../kernels/op.ts";
import type { Traits } from "../kernels/traits.ts";
import type { Place } from "./places.ts";
import type { Runtime } from "./runtime.ts";

/** Why a device does not compute in f16, and where to have it. */
export function noHalves(device: string): string {
  return `--precision f16: ${device} has no f16 (shader-f16); use f32, or an adapter that has it, by its name: gpt2 devices lists them, --device system may be one`;
}

/** Throws a `UserError` where weights in f16 are wanted of a runtime that cannot read them. */
export function requireHalfWeights(precision: Format | undefined, runtime: Pick<Runtime, "name" | "traits">): void {
  const { name, traits } = runtime;
  if (precision !== "f16" || traits.packedHalves || traits.f16) return;
  userError(
    `--precision f16: ${name} has no f16; use f32 or i8, or a GPU, of which any will do: --device system, or embedded`,
    "device",
  );
}

/** Throws a `UserError` where f16 is wanted of a runtime that has none. */
export function requireHalves(
  precision: FloatDType | undefined,
  { name, traits }: Pick<Runtime, "name" | "traits">,
): void {
  if (precision === "f16" && !traits.f16) userError(noHalves(name), "device");
}

/** Tensors in f16 want an adapter that has it. */
export function checkTypes(tensors: readonly TensorType[], { f16 }: Traits): void {
  if (!f16 && tensors.some(({ dtype }) => dtype === "f16")) wantsHalves();
}

export function wantsHalves(): never {
  return userError("tensors in f16 want an adapter with shader-f16, which this one lacks; compute in f32", "device");
}

/** No buffer may be larger than the adapter's largest. */
export function checkBuffer(place: Place, { maxBufferBytes }: Traits): void {
  if (place.bytes <= maxBufferBytes) return;
  const [what, remedy] =
    place.kind === "state"
      ? [`"${place.name}"`, "use a smaller model or another adapter"]
      : ["a tensor of a step", "use a smaller batch or another adapter"];
  userError(
    `${what} needs a buffer of ${place.bytes} bytes, the adapter allows ${maxBufferBytes}; ${remedy}`,
    "device",
  );
}
