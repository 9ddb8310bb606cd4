import { BYTES_PER_ELEMENT } from "../../core/dtype.ts";
import { type Binding, type Dispatch, gridOf, read, type ShaderName, type Span, write } from "../dispatch.ts";
import type { Traits } from "../traits.ts";
import { type Piece, type Product, piecesOf, rowLengths } from "./product.ts";
import type { MatmulVariant } from "./variants.ts";

/** What is done to a product before it is stored. */
export interface Finish {
  readonly bias: boolean;
  readonly residual: boolean;
  /** y = y + product; excludes the others. */
  readonly into: boolean;
}

/** How a product is computed: by which variant, with K cut into how many stretches that are summed by a second pass. */
export interface Plan {
  readonly variant: MatmulVariant;
  readonly splits: number;
}

const REDUCE_GROUP = 64;

/** The dispatches of a whole product; the tensors are called a, b, y, bias, residual, and partials when K is split. */
export function productDispatches(product: Product, finish: Finish, plan: Plan, traits: Traits): Dispatch[] {
  return piecesOf(product, traits).flatMap((piece) => {
    const pieceFinish = piece.k.start > 0 ? { bias: false, residual: false, into: true } : finish;
    return pieceDispatches(product, piece, pieceFinish, plan, traits);
  });
}

/** Elements of the partial sums: 0 when no piece is split. */
export function partialsLength(product: Product, plan: Plan, traits: Traits): number {
  const lengths = piecesOf(product, traits).map((piece) => {
    const { splits } = splitsOf(piece, plan, traits);
    return splits > 1 ? splits * piece.m.length * piece.n.length : 0;
  });
  return Math.max(0, ...lengths);
}

/** Stretches of K, each a multiple of 4 long but for the last, as many as asked for and as one binding holds. */
function splitsOf(piece: Piece, plan: Plan, traits: Traits): { splits: number; step: number } {
  const elements = piece.m.length * piece.n.length;
  const most = Math.floor(traits.maxBindingBytes / BYTES_PER_ELEMENT / elements);
  const wanted = Math.max(1, Math.min(plan.splits, most, traits.maxGroupsPerDimension, Math.ceil(piece.k.length / 4)));
  const step = Math.max(4, Math.ceil(piece.k.length / wanted / 4) * 4);
  return { splits: Math.max(1, Math.ceil(piece.k.length / step)), step };
}

function pieceDispatches(product: Product, piece: Piece, finish: Finish, plan: Plan, traits: Traits): Dispatch[] {
  const { variant } = plan;
  const { splits, step } = splitsOf(piece, plan, traits);
  const split = splits > 1;
  const row = rowLengths(product);
  const { m, n, k } = piece;
  // Where the piece starts in what is bound: the rows before it are left out of the binding, the columns are not.
  const start = { a: product.transposeA ? m.start : k.start, b: product.transposeB ? k.start : n.start, y: n.start };
  const spans = {
    a: spanOf(product.transposeA ? k : m, product.transposeA ? product.K : product.M, row.a),
    b: spanOf(product.transposeB ? n : k, product.transposeB ? product.N : product.K, row.b),
    y: spanOf(m, product.M, row.y),
  };
  const constants = {
    M: m.length,
    N: n.length,
    K: k.length,
    A_START: start.a,
    A_ROW: product.transposeA ? 1 : row.a,
    A_K: product.transposeA ? row.a : 1,
    B_START: start.b,
    B_K: product.transposeB ? 1 : row.b,
    B_COLUMN: product.transposeB ? row.b : 1,
    Y_START: split ? 0 : start.y,
    Y_ROW: split ? n.length : row.y,
    BIAS_START: n.start,
    K_STEP: step,
  };
  const fours = variant.vector && k.length > 0;
  const loadA = ((): ShaderName => {
    const form = variant.reads === "parts" ? "parts" : "a";
    if (!fours || ![row.a, start.a, product.transposeA ? m.length : k.length].every(isMultipleOf4))
      return `matmul/${form}_scalar`;
    return product.transposeA ? `matmul/${form}_columns` : `matmul/${form}_rows`;
  })();
  const loadB = ((): ShaderName => {
    if (!fours || ![row.b, start.b, product.transposeB ? k.length : n.length].every(isMultipleOf4))
      return "matmul/b_scalar";
    return product.transposeB ? "matmul/b_columns" : "matmul/b_rows";
  })();
  const vectorY = variant.vector && [row.y, start.y, n.length].every(isMultipleOf4);
  const storeY: ShaderName = vectorY ? "matmul/y_vec4" : "matmul/y_scalar";
  const elements = variant.reads === "elements";

  const ending = endingOf(finish, spans.y);
  const target = split ? endingOf({ bias: false, residual: false, into: false }, undefined) : ending;
  const tiles = elements
    ? { rows: 1, columns: Math.ceil((m.length * n.length) / variant.invocations) }
    : { rows: Math.ceil(m.length / variant.tile[0]), columns: Math.ceil(n.length / variant.tile[1]) };
  const [x, y] = gridOf(tiles.rows * tiles.columns, traits);
  const main: Dispatch = {
    shader: [
      "lib/grid",
      "matmul/sizes",
      storeY,
      target.shader,
      ...(elements ? [] : [loadA, loadB]),
      ...variant.library,
      variant.shader,
    ],
    entry: "matmul",
    ...(variant.subgroup > 0 ? { enable: ["subgroups"] } : {}),
    constants: { ...constants, ...variant.constants, ...(elements ? {} : { ROW_TILES: tiles.rows }) },
    sizes: target.places(2),
    bind: [read("a", spans.a), read("b", spans.b), write(split ? "partials" : "y", target.span), ...target.bind],
    grid: [x, y, splits],
  };
  if (!split) return [main];
  const cells = (m.length * n.length) / (vectorY ? 4 : 1);
  const reduce: Dispatch = {
    shader: ["lib/grid", "matmul/sizes", storeY, ending.shader, "matmul/reduce"],
    entry: "reduce",
    constants: { ...constants, Y_START: start.y, Y_ROW: row.y, SPLITS: splits, GROUP: REDUCE_GROUP },
    sizes: ending.places(1),
    bind: [
      read("partials", { offset: 0, length: splits * m.length * n.length }),
      write("y", ending.span),
      ...ending.bind,
    ],
    grid: gridOf(Math.ceil(cells / REDUCE_GROUP), traits),
  };
  return [main, reduce];
}

/** The last step of a kernel: its shader, the bindings after y's, and their numbers when y's is `at`. */
function endingOf(finish: Finish, span: Span | undefined) {
  const names = finish.into ? [] : [...(finish.bias ? ["bias"] : []), ...(finish.residual ? ["residual"] : [])];
  const suffix = finish.into ? "into" : names.join("_") || "plain";
  return {
    shader: `matmul/finish_${suffix}` as ShaderName,
    span,
    bind: names.map((name): Binding => read(name, name === "residual" ? span : undefined)),
    places: (at: number): Record<string, number> =>
      Object.fromEntries([["Y", at], ...names.map((name, i) => [name.toUpperCase(), at + 1 + i])]),
  };
}

/** The rows of a stretch, or undefined for all rows. */
function spanOf(range: { start: number; length: number }, rows: number, row: number): Span | undefined {
  return range.length === rows ? undefined : { offset: range.start * row, length: range.length * row };
}

function isMultipleOf4(x: number): boolean {
  return x % 4 === 0;
}
