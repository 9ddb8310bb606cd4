import { type Dispatch, grid1d, read, type Span, storedType, write } from "../../dispatch.ts";
import { type Piece, type Product, typesOf } from "../../product.ts";
import type { Traits } from "../../traits.ts";
import type { MatmulVariant } from "./variants.ts";

const GROUP = 64;

/**
 * Whether a pass of its own adds the residual. A variant that has one pipeline for all products is made for where compiling
 * takes long: a second pipeline would cost more than these passes do in a hundred steps. y must be f32, or it would be
 * rounded twice, and in one piece along its rows.
 */
export function addedApart(product: Product, { n }: Piece, { reads }: MatmulVariant): boolean {
  const { y, residual = "f32" } = typesOf(product);
  return reads === "strides" && y === "f32" && residual === "f32" && n.length === product.N;
}

/** y = y + residual, for the rows of `span`. */
export function addResidual({ m, n }: Piece, span: Span | undefined, traits: Traits): Dispatch {
  const elements = m.length * n.length;
  const pack = elements % 4 === 0 ? 4 : 1;
  return {
    shader: ["lib/grid", "matmul/software/add_residual"],
    entry: "add_residual",
    uniforms: { CELLS: elements / pack },
    types: { Cell: storedType("f32", pack) },
    bind: [read("residual", span), write("y", span)],
    grid: grid1d(elements / pack, GROUP, traits),
  };
}
