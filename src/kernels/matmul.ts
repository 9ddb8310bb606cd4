import { bytesPerElement, type FloatDType } from "../core/dtype.ts";
import { formatShape, sizeOf } from "../core/shape.ts";
import { bytesCase, elementsOf, type Matrix, matrixBytes, matrixOf } from "./byte-matrix.ts";
import { columnSum } from "./column-sum.ts";
import { type GeluAttrs, geluAt, geluBackwardOp, geluSlopeAt } from "./gelu.ts";
import { defineOp, expectFloat, expectType, f16, f32, shapeError, type TensorType, type Value } from "./op.ts";
import type { Activation, Product } from "./product.ts";

/** Attributes of `matmul`. */
export interface MatmulAttrs {
  /** a is [K, M] instead of [M, K]. */
  readonly transposeA: boolean;
  /** b is [N, K] instead of [K, N]. */
  readonly transposeB: boolean;
  /** A name out of `matmulVariants`; "auto", or one that the adapter cannot run: the default for the adapter and sizes. */
  readonly variant: string;
  /** Stretches of K computed side by side and summed by a second pass; 0: the variant's own choice. */
  readonly splits: number;
  /**
   * Over all of it, where what it is computed from is not wanted: the gradient computes the product again. With `slope`: whose slope that
   * is; `geluMatmul` keeps both.
   */
  readonly activation: Activation;
  /** Element type of y, and so of into. */
  readonly result: FloatDType;
  /** Elements of a row of y, where that is more than N: what is behind N is 0. Rows of a multiple of 4 elements are read and written 4 at a time. */
  readonly width: number;
  /** How many columns of a count, 0 for all: what is behind them is finite, and takes no part. */
  readonly columns: number;
  /** An operand of f32 keeps its digits beside one of f16, for which matrix units would round it. */
  readonly exact: boolean;
}

/** a . b, as it suits the adapter. */
export const PLAIN_MATMUL: MatmulAttrs = {
  transposeA: false,
  transposeB: false,
  variant: "auto",
  splits: 0,
  activation: "linear",
  result: "f32",
  width: 0,
  columns: 0,
  exact: false,
};

/**
 * y = op(a) . op(b) (+ bias of the column) (+ residual), or, with `into`, into + op(a) . op(b) in into's place.
 * With `slope`, y = activation'(slope) (op(a) . op(b) + bias), what comes back through an activation of slope.
 * op(a): [M, K], op(b): [K, N], bias: [N], residual, into, slope, y: [M, N]; op is the identity or the transposition. All but the bias may
 * be f16: what is computed and summed is f32, and rounded once. In a model b is a weight: its gradient is f32 whatever b is,
 * that of a is as a. Nothing is differentiated by slope. With `steps`, b is words of whole numbers (`matrixOf`), which do not train.
 */
export const matmulOp = defineOp({
  name: "matmul",
  inputs: ["a", "b"],
  optional: ["bias", "residual", "into", "slope", "steps"],
  outputs: ["y"],
  halves: ["a", "b", "residual", "into", "slope"],
  updates: { y: "into" },
  attrs: PLAIN_MATMUL,
  shapes: ({ a, b: stored, steps, bias, residual, into, slope }, attrs) => {
    expectFloat("matmul", "a", a, [-1, -1]);
    const b = matrixOf("matmul", "b", stored, steps);
    const { M, N, K } = productOf(a, b, attrs);
    if (b.shape[attrs.transposeB ? 1 : 0] !== K) {
      const fix = b.shape[attrs.transposeB ? 0 : 1] === K || N === a.shape[0] ? "transposeB" : "transposeA";
      shapeError("matmul", `inner sizes differ, a ${formatShape(a.shape)}, b ${formatShape(b.shape)}; ${fix}?`);
    }
    if (bias) expectType("matmul", "bias", bias, "f32", [N]);
    if (attrs.width !== 0 && attrs.width < N) shapeError("matmul", `width is ${attrs.width}, wanted ${N} or more`);
    if (attrs.columns > a.shape[1]!) shapeError("matmul", `columns is ${attrs.columns}, a has ${a.shape[1]}`);
    const shape = [M, attrs.width || N];
    if (residual) expectFloat("matmul", "residual", residual, shape);
    if (into) expectType("matmul", "into", into, attrs.result, shape);
    if (slope) expectFloat("matmul", "slope", slope, shape);
    if (slope && attrs.activation === "linear") shapeError("matmul", "a slope of what? activation is linear");
    if (attrs.width > N && bias) shapeError("matmul", "width excludes a bias");
    if (into && (bias || residual)) shapeError("matmul", "into excludes bias and residual");
    if (attrs.activation !== "linear" && (residual || into))
      shapeError("matmul", `the activation ${attrs.activation} excludes residual and into`);
    return { y: { dtype: attrs.result, shape } };
  },
  cpu: ({ a, b, steps, bias, residual, into, slope }, { y }, attrs) => {
    const { M, N, K } = productOf(a, matrixOf("matmul", "b", b, steps), attrs);
    const right = elementsOf(b, steps);
    const row = new Float64Array(N);
    const [rowA, rowY] = [a.shape[1]!, y.shape[1]!];
    const { approximate } = geluAttrs(attrs);
    for (let m = 0; m < M; m++) {
      row.fill(0);
      for (let k = 0; k < K; k++) {
        const left = a.data[attrs.transposeA ? k * rowA + m : m * rowA + k]!;
        if (attrs.transposeB) for (let n = 0; n < N; n++) row[n]! += left * right[n * K + k]!;
        else for (let n = 0; n < N; n++) row[n]! += left * right[k * N + n]!;
      }
      for (let n = 0; n < N; n++) {
        const at = m * rowY + n;
        const sum = row[n]! + (bias?.data[n] ?? 0) + (residual?.data[at] ?? 0) + (into ? y.data[at]! : 0);
        if (slope) y.data[at] = geluSlopeAt(slope.data[at]!, approximate) * sum;
        else y.data[at] = attrs.activation === "linear" ? sum : geluAt(sum, approximate);
      }
      y.data.fill(0, m * rowY + N, (m + 1) * rowY);
    }
  },
  vjp: ({ a, b, steps, bias, residual, into, slope }, _outputs, { y: doutput }, attrs, context) => {
    if (!doutput) return {};
    const { transposeA, transposeB } = attrs;
    const { N } = productOf(a, matrixOf("matmul", "b", b, steps), attrs);
    // dy as a first operand: what counts of it; what takes the shape of a: its rows.
    const [wide, narrow] = [attrs.width > N ? { columns: N } : {}, attrs.columns > 0 ? { width: a.shape[1]! } : {}];
    let dy = doutput;
    if (attrs.activation !== "linear") {
      const x = slope ?? matmul(a, b, { ...attrs, activation: "linear", bias, steps });
      dy = geluBackwardOp.apply({ x, dy }, geluAttrs(attrs)).dx;
    }
    const grads: Partial<Record<"a" | "b" | "bias" | "residual" | "into", Value>> = {};
    if (context.needs("a")) {
      const result = expectFloat("matmul", "a", a, a.shape);
      // What a is an activation of may have the gradient: it is that of a, times a slope.
      const before = transposeA ? undefined : context.before("a");
      const more = before
        ? { slope: before.x, activation: before.activation, result }
        : { residual: context.accumulated("a"), result };
      if (transposeA && steps) shapeError("matmul", "a transposed a has no gradient beside a b in 8 bits");
      if (transposeA && attrs.width > N) shapeError("matmul", "a transposed a has no gradient where y has a width");
      grads.a = transposeA
        ? matmul(b, dy, { transposeA: transposeB, transposeB: true, ...narrow, ...more })
        : matmul(dy, b, { transposeB: !transposeB, steps, ...wide, ...narrow, ...more });
    }
    if (context.needs("b")) {
      const more = { residual: context.accumulated("b") };
      const outer = transposeB ? attrs.columns > 0 : attrs.width > N;
      if (outer) shapeError("matmul", `b has no gradient with a ${transposeB ? "part of a's columns" : "width of y"}`);
      const { columns } = attrs;
      grads.b = transposeB
        ? matmul(dy, a, { transposeA: true, transposeB: transposeA, ...wide, ...more })
        : matmul(a, dy, { transposeA: !transposeA, columns, ...more });
    }
    if (bias && context.needs("bias")) grads.bias = columnSum(dy);
    if (residual && context.needs("residual")) grads.residual = dy;
    if (into && context.needs("into")) grads.into = dy;
    return grads;
  },
  cost: ({ a, b: stored, steps, bias, residual, into, slope }, { y }, attrs) => {
    const b = matrixOf("matmul", "b", stored, steps);
    const { M, N, K } = productOf(a, b, attrs);
    const bytes = [a, bias, residual, into, slope, y].reduce(
      (sum, t) => sum + (t ? bytesPerElement(t.dtype) * sizeOf(t.shape) : 0),
      matrixBytes(b),
    );
    return { flops: 2 * M * N * K, bytes };
  },
  cases: [
    { inputs: { a: f32([3, 5]), b: f32([5, 2]) } },
    { inputs: { a: f32([4, 8]), b: f32([8, 4]), bias: f32([4]) } },
    { inputs: { a: f32([5, 4]), b: f32([4, 8]), bias: f32([8]), residual: f32([5, 8]) } },
    { inputs: { a: f32([5, 4]), b: f32([8, 4]) }, attrs: { transposeB: true } },
    { inputs: { a: f32([2, 7]), b: f32([3, 7]), residual: f32([2, 3]) }, attrs: { transposeB: true } },
    { inputs: { a: f32([4, 8]), b: f32([4, 4]) }, attrs: { transposeA: true } },
    { inputs: { a: f32([7, 3]), b: f32([7, 5]), bias: f32([5]) }, attrs: { transposeA: true } },
    { inputs: { a: f32([4, 3]), b: f32([2, 4]) }, attrs: { transposeA: true, transposeB: true } },
    { inputs: { a: f32([1, 1]), b: f32([1, 1]) } },
    { inputs: { a: f32([5, 4]), b: f32([4, 8]), bias: f32([8]) }, attrs: { activation: "gelu_new" } },
    { inputs: { a: f32([3, 7]), b: f32([5, 7]) }, attrs: { transposeB: true, activation: "gelu" } },
    {
      inputs: { a: f32([5, 4]), b: f32([8, 4]), slope: f32([5, 8]) },
      attrs: { transposeB: true, activation: "gelu_new" },
    },
    { inputs: { a: f32([3, 7]), b: f32([7, 5]), bias: f32([5]), slope: f32([3, 5]) }, attrs: { activation: "gelu" } },
    { inputs: { a: f16([3, 5]), b: f16([5, 2]), bias: f32([2]) }, attrs: { result: "f16" } },
    {
      inputs: { a: f32([5, 4]), b: f16([8, 4]), slope: f16([5, 8]) },
      attrs: { transposeB: true, activation: "gelu_new", result: "f16" },
    },
    { inputs: { a: f16([5, 4]), b: f16([4, 8]), bias: f32([8]), residual: f32([5, 8]) } },
    { inputs: { a: f32([5, 4]), b: f16([8, 4]), residual: f16([5, 8]) }, attrs: { transposeB: true, result: "f16" } },
    { inputs: { a: f16([4, 8]), b: f32([4, 4]) }, attrs: { transposeA: true } },
    // Rows longer than what counts of them, as the classifier's logits have: made, and used in both of its gradients.
    { inputs: { a: f32([3, 4]), b: f32([5, 4]) }, attrs: { transposeB: true, width: 8 } },
    { inputs: { a: f32([3, 8]), b: f32([5, 4]), residual: f32([3, 4]) }, attrs: { columns: 5 } },
    { inputs: { a: f32([3, 8]), b: f32([3, 4]) }, attrs: { transposeA: true, columns: 5 } },
    // In 8 bits: steps along the columns of b, and along K; few rows and many.
    { inputs: { a: f32([2, 3]), ...bytesCase(3, 16, 8), bias: f32([16]), residual: f32([2, 16]) } },
    { inputs: { a: f32([3, 16]), ...bytesCase(5, 16, 8) }, attrs: { transposeB: true } },
    { inputs: { a: f32([10, 4]), ...bytesCase(4, 24, 8) }, attrs: { activation: "gelu_new" } },
    { inputs: { a: f32([9, 16]), ...bytesCase(6, 16, 16) }, attrs: { transposeB: true } },
  ],
});

/** What `matmul` may be told besides its operands. */
export interface MatmulOptions extends Partial<MatmulAttrs> {
  readonly bias?: Value | undefined;
  readonly residual?: Value | undefined;
  readonly into?: Value | undefined;
  readonly slope?: Value | undefined;
  readonly steps?: Value | undefined;
}

/** See `matmulOp`. `into` is updated in place: use the result from then on. */
export function matmul(a: Value, b: Value, options: MatmulOptions = {}): Value {
  const { bias, residual, into, slope, steps, ...attrs } = options;
  return matmulOp.apply({ a, b, bias, residual, into, slope, steps }, attrs).y;
}

export function geluAttrs({ activation }: MatmulAttrs): GeluAttrs {
  return { approximate: activation === "gelu" ? "none" : "tanh" };
}

export function productOf(a: TensorType, b: Pick<Matrix, "shape" | "group">, attrs: MatmulAttrs): Product {
  const { transposeA, transposeB, width, columns, exact } = attrs;
  const [aRows = 0, rowA = 0] = a.shape;
  const [bRows = 0, bColumns = 0] = b.shape;
  const aColumns = columns || rowA;
  return {
    M: transposeA ? aColumns : aRows,
    N: transposeB ? bRows : bColumns,
    K: transposeA ? aRows : aColumns,
    transposeA,
    transposeB,
    ...(columns > 0 ? { rowA } : {}),
    ...(width > 0 ? { rowY: width } : {}),
    ...(exact ? { exact } : {}),
    ...(b.group ? { group: b.group } : {}),
  };
}
