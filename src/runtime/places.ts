import type { NumericArray } from "../core/dtype.ts";
import type { TensorType } from "../kernels/op.ts";

/** A buffer that a plan wants, before there is a device to make it. */
export type Place =
  | { readonly kind: "state"; readonly name: string; readonly type: TensorType; readonly bytes: number }
  | { readonly kind: "input"; readonly name: string; readonly bytes: number }
  | { readonly kind: "constant"; readonly type: TensorType; readonly data: NumericArray; readonly bytes: number }
  | { readonly kind: "uniforms"; readonly data: Uint8Array<ArrayBuffer>; readonly bytes: number }
  | { readonly kind: "slot"; readonly number: number; readonly bytes: number };

/** A stretch of a place, in bytes. */
export interface PlacedRegion {
  readonly place: Place;
  readonly offset: number;
  readonly size: number;
}
