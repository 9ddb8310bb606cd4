import { gridOf } from "../../dispatch.ts";
import type { Traits } from "../../traits.ts";
import type { MatmulVariant } from "./variants.ts";

/** The workgroups of one product. */
export interface Tiles {
  /** Down the rows of y. */
  readonly rows: number;
  /** In x and y: rows and columns, or where either would pass the limit a row of all tiles, folded (place.wgsl). */
  readonly grid: readonly [x: number, y: number];
  readonly folded: boolean;
}

export function tilesOf(
  { M, N }: { readonly M: number; readonly N: number },
  { reads, tile, invocations }: MatmulVariant,
  traits: Traits,
): Tiles {
  const [rows, columns] =
    reads === "elements" ? [1, Math.ceil((M * N) / invocations)] : [Math.ceil(M / tile[0]), Math.ceil(N / tile[1])];
  const folded = Math.max(rows, columns) > traits.maxGroupsPerDimension;
  const [x, y] = folded ? gridOf(rows * columns, traits) : [rows, columns];
  return { rows, grid: [x, y], folded };
}
