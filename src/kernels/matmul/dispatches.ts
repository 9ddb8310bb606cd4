import { WORD_BYTES } from "../../core/dtype.ts";
import { type Binding, type Dispatch, gridOf, read, type ShaderName, type Span, write } from "../dispatch.ts";
import type { Traits } from "../traits.ts";
import { ALONE } from "./batch.ts";
import { type Access, type Ending, endingOf, type Finish, kernelOf, PLAIN } from "./kernel.ts";
import { type Piece, type Product, piecesOf, rowLengths, typesOf } from "./product.ts";
import { addedApart, addResidual } from "./residual.ts";
import type { MatmulVariant } from "./variants.ts";

/** How a product is computed: by which variant, with K cut into how many stretches that are summed by a second pass. */
export interface Plan {
  readonly variant: MatmulVariant;
  readonly splits: number;
}

const REDUCE_GROUP = 64;

/** The dispatches of a whole product; the tensors are called a, b, y, bias, residual, and partials when K is split. */
export function productDispatches(product: Product, finish: Finish, plan: Plan, traits: Traits): Dispatch[] {
  return piecesOf(product, traits).flatMap((piece) => {
    const last = piece.k.start + piece.k.length === product.K;
    const activation = last ? finish.activation : "linear";
    const pieceFinish = piece.k.start > 0 ? { ...PLAIN, into: true, activation } : { ...finish, activation };
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
  const most = Math.floor(traits.maxBindingBytes / WORD_BYTES / elements);
  const wanted = Math.max(1, Math.min(plan.splits, most, traits.maxGroupsPerDimension, Math.ceil(piece.k.length / 4)));
  const step = Math.max(4, Math.ceil(piece.k.length / wanted / 4) * 4);
  return { splits: Math.max(1, Math.ceil(piece.k.length / step)), step };
}

function pieceDispatches(product: Product, piece: Piece, finish: Finish, plan: Plan, traits: Traits): Dispatch[] {
  const { variant } = plan;
  if (finish.residual && addedApart(product, piece, variant)) {
    const inner = pieceDispatches(product, piece, { ...finish, residual: false }, plan, traits);
    return [...inner, addResidual(piece, spanOf(piece.m, product.M, rowLengths(product).y), traits)];
  }
  const { m, n, k } = piece;
  const { splits, step } = splitsOf(piece, plan, traits);
  const row = rowLengths(product);
  const start = startsOf(product, piece);
  const shaders = accessOf(product, piece, variant);
  const spans = {
    a: product.transposeA ? spanOf(k, product.K, row.a) : spanOf(m, product.M, row.a),
    b: product.transposeB ? spanOf(n, product.N, row.b) : spanOf(k, product.K, row.b),
    y: spanOf(m, product.M, row.y),
  };
  const [rows, columns] = tilesOf(piece, variant);
  const uniforms = {
    M: m.length,
    N: n.length,
    K: k.length,
    A_START: start.a,
    A_ROW: product.transposeA ? 1 : row.a,
    A_K: product.transposeA ? row.a : 1,
    B_START: start.b,
    B_K: product.transposeB ? 1 : row.b,
    B_COLUMN: product.transposeB ? row.b : 1,
    Y_START: start.y,
    Y_ROW: row.y,
    BIAS_START: n.start,
    K_STEP: step,
    ROW_TILES: rows,
    SPLITS: splits,
    ...ALONE,
  };
  const limit = traits.maxGroupsPerDimension;
  const folded = rows > limit || columns > limit;
  const [x, y] = folded ? gridOf(rows * columns, traits) : [rows, columns];
  const types = typesOf(product);
  const pack = shaders.vectorY ? 4 : 1;
  const ending = endingOf(finish, spans.y, pack, types);
  // An operand that is read one by one watches K anyhow: it needs no pipeline of its own where K is whole.
  const whole = k.length % 4 === 0 && shaders.vectors;
  const compute = (target: Ending, to: Binding, places: Readonly<Record<string, number>>): Dispatch => ({
    ...kernelOf(variant, shaders, target, types, { whole, folded }),
    uniforms: { ...uniforms, ...places },
    bind: [read("a", spans.a), read("b", spans.b), to, ...target.bind],
    grid: [x, y, splits],
  });
  if (splits === 1) return [compute(ending, write("y", spans.y), {})];

  const partials = { offset: 0, length: splits * m.length * n.length };
  const cells = (m.length * n.length) / pack;
  const reduce: Dispatch = {
    entry: "reduce",
    shader: ["lib/grid", "matmul/sizes", ...ending.store, shaders.y, ...ending.shaders, "matmul/reduce"],
    uniforms,
    types: ending.types,
    constants: { ...ending.constants, GROUP: REDUCE_GROUP },
    sizes: ending.places(1),
    bind: [read("partials", partials), write("y", spans.y), ...ending.bind],
    grid: gridOf(Math.ceil(cells / REDUCE_GROUP), traits),
  };
  const plain = endingOf(PLAIN, undefined, pack, { y: "f32" });
  return [compute(plain, write("partials", partials), { Y_START: 0, Y_ROW: n.length }), reduce];
}

/** Where a piece starts in what is bound: the rows before it are left out of the binding, the columns are not. */
function startsOf(product: Product, { m, n, k }: Piece): { a: number; b: number; y: number } {
  return { a: product.transposeA ? m.start : k.start, b: product.transposeB ? k.start : n.start, y: n.start };
}

/** The shaders that read a and b and write y: 4 elements at a time where all that is accessed starts at multiples of 4. */
function accessOf(
  product: Product,
  piece: Piece,
  variant: MatmulVariant,
): Access & { vectors: boolean; vectorY: boolean } {
  const { transposeA, transposeB } = product;
  const { m, n, k } = piece;
  const row = rowLengths(product);
  const start = startsOf(product, piece);
  const fours = (...numbers: number[]) => variant.vector && k.length > 0 && numbers.every((x) => x % 4 === 0);
  const form = variant.reads === "parts" ? "parts" : "a";
  let a: ShaderName = `matmul/${form}_scalar`;
  if (fours(row.a, start.a, transposeA ? m.length : k.length))
    a = transposeA ? `matmul/${form}_columns` : `matmul/${form}_rows`;
  let b: ShaderName = "matmul/b_scalar";
  if (fours(row.b, start.b, transposeB ? k.length : n.length)) b = transposeB ? "matmul/b_columns" : "matmul/b_rows";
  const vectorY = fours(row.y, start.y, n.length);
  const y: ShaderName = vectorY ? "matmul/y_vec4" : "matmul/y_scalar";
  const operands = variant.reads === "elements" || variant.reads === "strides" ? [] : [a, b];
  const [packA, packB] = [packOf(a), packOf(b)];
  const vectors = operands.length > 0 && packA === 4 && packB === 4;
  return { operands, vectors, packA, packB, y, vectorY };
}

function packOf(reader: ShaderName): 1 | 4 {
  return reader.endsWith("_scalar") ? 1 : 4;
}

/** Workgroups down the rows and along the columns of y. */
function tilesOf({ m, n }: Piece, { reads, tile, invocations }: MatmulVariant): [rows: number, columns: number] {
  if (reads === "elements") return [1, Math.ceil((m.length * n.length) / invocations)];
  return [Math.ceil(m.length / tile[0]), Math.ceil(n.length / tile[1])];
}

/** The rows of a stretch, or undefined for all rows. */
function spanOf(range: { start: number; length: number }, rows: number, row: number): Span | undefined {
  return range.length === rows ? undefined : { offset: range.start * row, length: range.length * row };
}
