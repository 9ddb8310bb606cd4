import { WORD_BYTES } from "../../../core/dtype.ts";
import { NUMBERS_IN_WORD } from "../../../core/quantize.ts";
import { type Binding, type Dispatch, gridOf, read, type Span, write } from "../../dispatch.ts";
import { LONGEST_WHOLE, type Piece, type Product, piecesOf, rowLengths, typesOf } from "../../product.ts";
import type { Traits } from "../../traits.ts";
import { accessOf, type Strides } from "./access.ts";
import { ALONE, NO_DROPS } from "./batch.ts";
import { type Ending, endingOf, type Finish, kernelOf, PLAIN } from "./kernel.ts";
import { DEPTH } from "./matrices.ts";
import { addedApart, addResidual } from "./residual.ts";
import { tilesOf } from "./tiles.ts";
import type { MatmulVariant } from "./variants.ts";

/** How a product is computed: by which variant, with K cut into how many stretches that are summed by a second pass. */
export interface Plan {
  readonly variant: MatmulVariant;
  readonly splits: number;
}

/** What is not the last of K has no activation yet. */
const PLAIN_AFTER = { activation: "linear", keeps: false, slope: false, drop: undefined } as const;

const REDUCE_GROUP = 64;
/** What a K longer than `LONGEST_WHOLE` is cut into on software drivers. */
const STRETCH = 1024;

/** The dispatches of a whole product; the tensors are called a, b, y, bias, residual, and partials when K is split. */
export function productDispatches(product: Product, finish: Finish, plan: Plan, traits: Traits): Dispatch[] {
  return piecesOf(product, traits).flatMap((piece) => {
    const last = piece.k.start + piece.k.length === product.K;
    const { keeps = false, slope = false, drop } = finish;
    const residual = drop ? last : finish.residual && piece.k.start === 0;
    const after = last ? { activation: finish.activation, keeps, slope, drop } : PLAIN_AFTER;
    const pieceFinish = { ...(piece.k.start > 0 ? { ...PLAIN, into: true } : finish), ...after, residual };
    return pieceDispatches(product, piece, pieceFinish, plan, traits);
  });
}

/** Elements of the partial sums: 0 when no piece is split. */
export function partialsLength(product: Product, plan: Plan, traits: Traits): number {
  const lengths = piecesOf(product, traits).map((piece) => {
    const { splits } = splitsOf(product, piece, plan, traits);
    return splits > 1 ? splits * piece.m.length * columnsOf(product, piece) : 0;
  });
  return Math.max(0, ...lengths);
}

/**
 * Stretches of K, each a multiple of 4 long, on GPUs of what the variant takes at a time, but for the last: as many as asked for, more where K is longer than
 * `LONGEST_WHOLE`, and no more than one binding holds.
 */
function splitsOf(product: Product, piece: Piece, plan: Plan, traits: Traits): { splits: number; step: number } {
  const elements = piece.m.length * columnsOf(product, piece);
  const most = Math.floor(traits.maxBindingBytes / WORD_BYTES / elements);
  const stretch = traits.software ? STRETCH : LONGEST_WHOLE;
  const asked = Math.max(plan.splits, piece.k.length > LONGEST_WHOLE ? Math.ceil(piece.k.length / stretch) : 1);
  const wanted = Math.max(1, Math.min(asked, most, traits.maxGroupsPerDimension, Math.ceil(piece.k.length / 4)));
  const { matrices, depth, reads } = plan.variant;
  const least = reads === "eights" ? 8 : 4;
  const unit = traits.software ? least : Math.max(matrices ? DEPTH : least, depth);
  const step = Math.max(unit, Math.ceil(piece.k.length / wanted / unit) * unit);
  return { splits: Math.max(1, Math.ceil(piece.k.length / step)), step };
}

function pieceDispatches(product: Product, piece: Piece, finish: Finish, plan: Plan, traits: Traits): Dispatch[] {
  const { variant } = plan;
  if (finish.residual && !finish.drop && addedApart(product, piece, variant)) {
    const inner = pieceDispatches(product, piece, { ...finish, residual: false }, plan, traits);
    return [...inner, addResidual(piece, spanOf(piece.m, product.M, rowLengths(product).y), traits)];
  }
  const { m, n, k } = piece;
  const { splits, step } = splitsOf(product, piece, plan, traits);
  const row = rowLengths(product);
  const start = startsOf(product, piece);
  const types = typesOf(product);
  const { group = 0 } = types.b === "i8" ? product : {};
  const [rangeB, rowsB] = product.transposeB ? [n, product.N] : [k, product.K];
  const spans = {
    a: product.transposeA ? spanOf(k, product.K, row.a) : spanOf(m, product.M, row.a),
    b: spanOf(rangeB, rowsB, group ? row.b / NUMBERS_IN_WORD : row.b),
    y: spanOf(m, product.M, row.y),
  };
  const steps = group ? [read("steps", spanOf(rangeB, rowsB, row.b / group))] : [];
  const columns = columnsOf(product, piece);
  const sizes = { M: m.length, N: n.length, K: k.length, COLUMNS: columns };
  const tiles = tilesOf({ M: m.length, N: columns }, variant, traits);
  const a = stridesOf(row.a, product.transposeA, start.a);
  const b = stridesOf(row.b, product.transposeB, start.b);
  const access = accessOf(
    variant,
    { ...sizes, roomA: row.a - start.a, bytes: group > 0 },
    a,
    b,
    stridesOf(row.y, false, start.y),
  );
  const uniforms = {
    ...sizes,
    ...{ A_START: start.a, A_ROW: a.row, A_K: a.column },
    ...{ B_START: start.b, B_K: b.row, B_COLUMN: b.column },
    ...{ Y_START: start.y, Y_ROW: row.y },
    BIAS_START: n.start,
    K_STEP: step,
    ROW_TILES: tiles.rows,
    SPLITS: splits,
    ...ALONE,
    ...dropsOf(finish, spans.y, access.packY),
  };
  const pack = access.packY;
  const ending = endingOf(finish, spans.y, pack, types);
  const compute = (target: Ending, to: Binding, places: Readonly<Record<string, number>>): Dispatch => {
    const kernel = kernelOf(variant, access, target, types, { K: k.length, folded: tiles.folded });
    const bind = [read("a", spans.a), read("b", spans.b), to, ...target.bind];
    return {
      ...kernel,
      ...(group ? { sizes: { ...kernel.sizes, STEPS: bind.length, SHARED: group } } : {}),
      uniforms: { ...uniforms, ...places },
      bind: [...bind, ...steps],
      grid: [...tiles.grid, splits],
    };
  };
  if (splits === 1) return [compute(ending, write("y", spans.y), {})];

  const partials = { offset: 0, length: splits * m.length * columns };
  const cells = (m.length * columns) / pack;
  const reduce: Dispatch = {
    entry: "reduce",
    shader: ["lib/grid", "matmul/sizes", ...ending.store, access.y, ...ending.shaders, "matmul/reduce"],
    uniforms,
    types: ending.types,
    constants: { ...ending.constants, GROUP: REDUCE_GROUP },
    sizes: ending.places(1),
    bind: [read("partials", partials), write("y", spans.y), ...ending.bind],
    grid: gridOf(Math.ceil(cells / REDUCE_GROUP), traits),
  };
  const plain = endingOf(PLAIN, undefined, pack, { y: "f32" });
  return [compute(plain, write("partials", partials), { Y_START: 0, Y_ROW: columns }), reduce];
}

/** What the dropout of a product reads, of which `span` is bound. */
function dropsOf({ drop }: Finish, span: Span | undefined, pack: 1 | 4): Record<keyof typeof NO_DROPS, number> {
  if (!drop) return NO_DROPS;
  return { DROP_RATE: drop.rate, DROP_STREAM: drop.stream, DROP_FIRST: (span?.offset ?? 0) / pack };
}

/** How many columns of y a piece writes: the last one what is behind them, too. */
function columnsOf(product: Product, { n }: Piece): number {
  return n.start + n.length === product.N ? rowLengths(product).y - n.start : n.length;
}

/** Where a piece starts in what is bound: the rows before it are left out of the binding, the columns are not. */
function startsOf(product: Product, { m, n, k }: Piece): { a: number; b: number; y: number } {
  return { a: product.transposeA ? m.start : k.start, b: product.transposeB ? k.start : n.start, y: n.start };
}

/** Rows of `row` elements, one behind the other; those of a transposed matrix are its columns. */
function stridesOf(row: number, transposed: boolean, start: number): Strides {
  return { ...(transposed ? { row: 1, column: row } : { row, column: 1 }), starts: [start] };
}

/** The rows of a stretch, or undefined for all rows. */
function spanOf(range: { start: number; length: number }, rows: number, row: number): Span | undefined {
  return range.length === rows ? undefined : { offset: range.start * row, length: range.length * row };
}
