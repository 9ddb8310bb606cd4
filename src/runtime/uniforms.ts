import type { Dispatch } from "../kernels/dispatch.ts";
import { uniformBytes } from "../kernels/wgsl.ts";
import type { Place, PlacedRegion } from "./places.ts";

/** What a uniform binding's offset must be a multiple of at most: WebGPU's default for `minUniformBufferOffsetAlignment`. */
const ALIGNMENT = 256;

/** The uniforms of a plan. */
export interface Uniforms {
  /** One buffer with all of them; undefined where no dispatch has any. */
  readonly place: Place | undefined;
  /** Where a dispatch finds its own; equal ones share a region. */
  regionOf(dispatch: Dispatch): PlacedRegion | undefined;
}

export function placeUniforms(dispatches: readonly Dispatch[]): Uniforms {
  const offsets = new Map<string, { readonly offset: number; readonly bytes: Uint8Array }>();
  const found = new Map<Dispatch, { readonly offset: number; readonly bytes: Uint8Array }>();
  let end = 0;
  for (const dispatch of dispatches) {
    const bytes = uniformBytes(dispatch);
    if (!bytes) continue;
    const key = bytes.join();
    let one = offsets.get(key);
    if (!one) {
      one = { offset: Math.ceil(end / ALIGNMENT) * ALIGNMENT, bytes };
      end = one.offset + bytes.length;
      offsets.set(key, one);
    }
    found.set(dispatch, one);
  }
  if (end === 0) return { place: undefined, regionOf: () => undefined };
  const data = new Uint8Array(end);
  for (const { offset, bytes } of offsets.values()) data.set(bytes, offset);
  const place: Place = { kind: "uniforms", data, bytes: end };
  return {
    place,
    regionOf(dispatch) {
      const one = found.get(dispatch);
      return one && { place, offset: one.offset, size: one.bytes.length };
    },
  };
}
