import fc from "fast-check";
import { traceOp } from "../../src/autograd/gradcheck.ts";
import { FORMATS } from "../../src/core/dtype.ts";
import { weightsCase } from "../../src/kernels/attention-weights.ts";
import { bytesCase } from "../../src/kernels/byte-matrix.ts";
import { cacheCase, attentionCase as cachedAttentionCase } from "../../src/kernels/cached-attention.ts";
import { matmulVariants } from "../../src/kernels/gpu/matmul/variants.ts";
import { OPS } from "../../src/kernels/index.ts";
import { type MatmulAttrs, matmulOp } from "../../src/kernels/matmul.ts";
import { type AnyOp, type CaseInput, f32, type OpCase } from "../../src/kernels/op.ts";
import { sampleCase } from "../../src/kernels/sample-token.ts";
import { packStep, STEP } from "../../src/kernels/step.ts";
import { topCase } from "../../src/kernels/top-tokens.ts";
import { compareTensors, halfRoundings, needsHalves, runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime, Tensors } from "../../src/runtime/runtime.ts";
import { adversaryAllowance, openCheckGpu } from "./check.ts";
import type { TestDriver } from "./drivers.ts";
import { halvesOn } from "./gpu.ts";
import { guardGpu } from "./guard.ts";
import { withMatrices } from "./matrices.ts";
import { wasmRuntime } from "./wasm.ts";

/** Sizes where kernels go wrong: none, one, primes, and around what packs, tiles and workgroups take. */
const SIZES = [
  0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 15, 16, 17, 23, 31, 32, 33, 37, 47, 63, 64, 65, 67, 97, 127, 128, 129,
];

const sizeUpTo = (most: number, least = 0): fc.Arbitrary<number> =>
  fc.constantFrom(...SIZES.filter((size) => size >= least && size <= most));

/** Numbers whose sum does not cancel, or its relative error would say nothing. */
const positive = (count: number): number[] => Array.from({ length: count }, (_, i) => 0.5 + ((i * 37) % 101) / 101);

const u32 = (values: readonly number[]): CaseInput => ({ dtype: "u32", shape: [values.length], values });

const step: CaseInput = { ...STEP, values: [...packStep({ seed: 11, step: 5, learningRate: 0.01, lossScale: 0.5 })] };

/** [rows, columns] */
const matrix = fc.tuple(sizeUpTo(67), sizeUpTo(129));

const gelu = fc.record({ shape: matrix, approximate: fc.constantFrom("tanh", "none") });

/** Of the staged tiles, which take llvmpipe seconds to compile, the smallest. */
const variants = matmulVariants.filter(({ name, shader }) => shader !== "matmul/gpu/staged" || name === "staged64");

/** A b in 8 bits: rows of whole groups. */
const byteProduct = fc
  .record({
    ...{ M: sizeUpTo(19), rows: sizeUpTo(70, 1), groups: fc.integer({ min: 1, max: 5 }), transposeB: fc.boolean() },
    group: fc.constantFrom(8, 16, 32, 64),
    extras: fc.constantFrom<string[]>([], ["bias"], ["residual"], ["bias", "residual"]),
    variant: fc.constantFrom("auto", "eights", "eights-narrow"),
    splits: fc.constantFrom(0, 1, 3),
    activation: fc.constantFrom("linear", "gelu_new", "gelu"),
  })
  .map(({ M, rows, groups, group, transposeB, extras, variant, splits, activation }): OpCase => {
    const columns = group * groups;
    const [N, K] = transposeB ? [rows, columns] : [columns, rows];
    const linear = extras.includes("residual");
    const more = Object.fromEntries(extras.map((name) => [name, f32(name === "bias" ? [N] : [M, N])]));
    return {
      inputs: { a: f32([M, K]), ...bytesCase(rows, columns, group), ...more },
      attrs: { transposeB, variant, splits, activation: linear ? "linear" : activation, exact: true },
    };
  });

const product = fc
  .record({
    ...{ M: sizeUpTo(97), N: sizeUpTo(97), K: sizeUpTo(129), transposeA: fc.boolean(), transposeB: fc.boolean() },
    extras: fc.constantFrom([], ["bias"], ["residual"], ["bias", "residual"], ["into"], ["slope"], ["bias", "slope"]),
    variant: fc.constantFrom("auto", ...variants.map(({ name }) => name)),
    splits: fc.constantFrom(0, 1, 3),
    activation: fc.constantFrom("linear", "gelu_new", "gelu"),
    wider: fc.constantFrom("", "", "y", "a"),
  })
  .map(({ M, N, K, transposeA, transposeB, extras, variant, splits, activation, wider }): OpCase => {
    // Rows longer than what counts of them, in the forms that have all their gradients.
    const wideY = wider === "y" && !transposeA && transposeB && extras.every((name) => name !== "bias");
    const wideA = wider === "a" && !transposeB;
    const rowY = wideY ? Math.ceil((N + 1) / 8) * 8 : N;
    const counted = transposeA ? M : K;
    const rowA = wideA && counted > 0 ? Math.ceil((counted + 1) / 8) * 8 : counted;
    const rooms = { width: wideY ? rowY : 0, columns: rowA > counted ? counted : 0 };
    const y = f32([M, rowY]);
    const shapes: Record<string, CaseInput> = { bias: f32([N]), residual: y, into: y, slope: y };
    const added = Object.fromEntries(extras.map((name) => [name, shapes[name]!]));
    const slope = extras.some((name) => name === "slope");
    const some = slope && activation === "linear" ? "gelu" : activation;
    const activated = slope || extras.every((name) => name === "bias") ? { activation: some } : {};
    const a = f32(transposeA ? [K, rowA] : [M, rowA]);
    const b = f32(transposeB ? [N, K] : [K, N]);
    return { inputs: { a, b, ...added }, attrs: { transposeA, transposeB, variant, splits, ...rooms, ...activated } };
  });

const geluMatmul = product.map(({ inputs: { a, b, bias }, attrs }): OpCase => {
  const { activation = "linear", columns, variant, splits, transposeA, transposeB } = attrs as Partial<MatmulAttrs>;
  const some = activation === "linear" ? "gelu_new" : activation;
  const inputs = { a: a!, b: b!, ...(bias ? { bias } : {}) };
  return { inputs, attrs: { variant, splits, columns, transposeA, transposeB, activation: some } };
});

const droppedMatmul = product.map(({ inputs: { a, b, bias }, attrs }): OpCase => {
  const { columns, variant, splits, transposeA = false, transposeB = false } = attrs as Partial<MatmulAttrs>;
  const M = transposeA ? columns || a!.shape[1]! : a!.shape[0]!;
  const inputs = { a: a!, b: b!, residual: f32([M, b!.shape[transposeB ? 0 : 1]!]), step, ...(bias ? { bias } : {}) };
  return { inputs, attrs: { variant, splits, columns, transposeA, transposeB, rate: 0.3, stream: 17 } };
});

/** Products on emulated matrix units, `matmul` otherwise. */
export const ON_MATRICES = "matmul on matrices";

/** What an op does with a matrix in 8 bits has cases of its own. */
function inBytes(name: string): string {
  return `${name} in 8 bits`;
}

const attention = fc
  .record({
    T: sizeUpTo(37, 1),
    heads: fc.integer({ min: 1, max: 3 }),
    D: sizeUpTo(33, 1),
    dropout: fc.boolean(),
    variant: fc.constantFrom("panels", "auto"),
  })
  .chain(({ T, heads, D, dropout, variant }) =>
    fc.array(fc.integer({ min: 0, max: T }), { minLength: 1, maxLength: 3 }).map((lengths): OpCase => {
      const qkv = f32([lengths.length * T, 3 * heads * D]);
      const attrs = { batch: lengths.length, heads, dropout: dropout ? 0.3 : 0, stream: 16, variant };
      return { inputs: { qkv, lengths: u32(lengths), ...(dropout ? { step } : {}) }, attrs };
    }),
  );

/** Rows of several records: each place begins a new one, or not. */
const packedAttention = attention.chain((check) => {
  const { qkv, lengths } = check.inputs;
  const [rows, T] = [qkv!.shape[0]!, qkv!.shape[0]! / lengths!.shape[0]!];
  return fc.array(fc.boolean(), { minLength: rows, maxLength: rows }).map((begins): OpCase => {
    const starts = begins.map(() => 0);
    for (let i = 0; i < rows; i++) starts[i] = i % T === 0 ? 0 : begins[i] ? i % T : starts[i - 1]!;
    return { ...check, inputs: { ...check.inputs, starts: u32(starts) } };
  });
});

const ids = (count: number, below: number): fc.Arbitrary<number[]> =>
  fc.array(fc.nat({ max: below - 1 }), { minLength: count, maxLength: count });

const embedding = fc
  .record({ N: sizeUpTo(65), V: sizeUpTo(33, 1), C: sizeUpTo(67), residual: fc.boolean() })
  .chain(({ N, V, C, residual }) =>
    ids(N, V).map((values): OpCase => {
      const order = values.map((_, n) => n).sort((a, b) => values[a]! - values[b]! || a - b);
      const more = residual ? { residual: f32([N, C]) } : {};
      return { inputs: { ids: u32(values), table: f32([V, C]), order: u32(order), ...more } };
    }),
  );

const byteEmbedding = fc
  .record({
    N: sizeUpTo(65),
    V: sizeUpTo(33, 1),
    groups: fc.integer({ min: 1, max: 6 }),
    group: fc.constantFrom(8, 64),
  })
  .chain(({ N, V, groups, group }) =>
    ids(N, V).map((values): OpCase => {
      const { b: table, steps } = bytesCase(V, group * groups, group);
      return { inputs: { ids: u32(values), table, steps, residual: f32([N, group * groups]) } };
    }),
  );

const crossEntropy = fc
  .record({
    R: sizeUpTo(37),
    V: sizeUpTo(129, 1),
    smoothing: fc.constantFrom(0, 0.1),
    behind: fc.constantFrom(0, 3, 64),
  })
  .chain(({ R, V, smoothing, behind }) =>
    fc
      .array(fc.oneof(fc.constant(-100), fc.nat({ max: V - 1 })), { minLength: R, maxLength: R })
      .map((labels): OpCase => {
        const logits = { ...f32([R, V + behind]), scale: 3 };
        const attrs = { smoothing, columns: behind > 0 ? V : 0 };
        return { inputs: { logits, labels: { dtype: "i32", shape: [R], values: labels } }, attrs };
      }),
  );

const adamw = fc
  .record({ N: sizeUpTo(129), decayed: sizeUpTo(129), scale: fc.constantFrom(0, 0.5, 1) })
  .map(({ N, decayed, scale }): OpCase => {
    const v = { ...f32([N]), values: Array.from({ length: N }, (_, i) => i / 10) };
    const stats = { ...f32([4]), values: [3, scale, 1, 0] };
    const inputs = { parameters: f32([N]), gradients: f32([N]), m: f32([N]), v, step, stats };
    return { inputs, attrs: { decayed: Math.min(N, decayed), weightDecay: 0.1, beta2: 0.95 } };
  });

/** Of a cache. */
const format = fc.constantFrom(...FORMATS);

const cachedAttention = fc
  .record({
    H: fc.integer({ min: 1, max: 3 }),
    D: sizeUpTo(64, 1),
    T: sizeUpTo(67, 1),
    B: fc.integer({ min: 1, max: 4 }),
    format,
  })
  .chain(({ H, D, T, B, format }) =>
    ids(B, T).map((positions) => cachedAttentionCase(H, D, T, positions, undefined, format)),
  );

const cacheAppend = fc
  .record({
    H: fc.integer({ min: 1, max: 3 }),
    D: sizeUpTo(17, 1),
    T: sizeUpTo(33, 1),
    P: fc.integer({ min: 1, max: 3 }),
    format,
  })
  .chain(({ H, D, T, P, format }) =>
    fc
      .record({
        S: fc.integer({ min: 1, max: T }),
        rows: fc.shuffledSubarray([0, 1, 2, 3], { minLength: P, maxLength: P }),
      })
      .map(({ S, rows }): OpCase => {
        return { inputs: { qkv: f32([P * S, 3 * H * D]), cacheRows: u32(rows), ...cacheCase(4, T, H, D, format) } };
      }),
  );

const sampleToken = fc
  .record({ B: sizeUpTo(9, 1), V: sizeUpTo(129, 1), seed: fc.nat({ max: 1000 }), doSample: fc.boolean() })
  .map(({ B, V, ...rules }) => sampleCase({ ...rules, topK: 5, topP: 0.9 }, { ...f32([B, V]), scale: 2 }));

const attentionWeights = fc
  .record({ B: sizeUpTo(3, 1), T: sizeUpTo(33, 1), H: sizeUpTo(3, 1), D: sizeUpTo(17, 1), short: fc.nat({ max: 40 }) })
  .map(({ B, T, H, D, short }) =>
    weightsCase(
      { batch: B, heads: H },
      [B * T, 3 * H * D],
      Array.from({ length: B }, (_, b) => (b === 0 ? T : short)),
    ),
  );

const topTokens = fc
  .record({ B: sizeUpTo(9, 1), V: sizeUpTo(129, 5) })
  .map(({ B, V }) => topCase(5, { ...f32([B, V]), scale: 2 }));

const layerNorm = fc
  .record({
    // of 1 or 2 numbers, normalised ones are constants: dx is what rounding leaves of 0
    shape: fc.tuple(sizeUpTo(67), sizeUpTo(129, 3)),
    bias: fc.boolean(),
    variant: fc.constantFrom("alone", "group"),
  })
  .map(({ shape, bias, variant }): OpCase => {
    const [, C] = shape;
    return { inputs: { x: f32(shape), gain: f32([C]), ...(bias ? { bias: f32([C]) } : {}) }, attrs: { variant } };
  });

const normalizedMatmul = fc
  .record({
    sizes: fc.tuple(sizeUpTo(11), sizeUpTo(70), sizeUpTo(129, 3)),
    shift: fc.boolean(),
    bias: fc.boolean(),
    variant: fc.constantFrom("auto", "together", "apart"),
    activation: fc.constantFrom("linear", "gelu_new", "gelu"),
  })
  .map(({ sizes: [M, N, K], shift, bias, variant, activation }): OpCase => {
    const more = { ...(shift ? { shift: f32([K]) } : {}), ...(bias ? { bias: f32([N]) } : {}) };
    return { inputs: { a: f32([M, K]), gain: f32([K]), b: f32([K, N]), ...more }, attrs: { variant, activation } };
  });

const byteNormalized = fc
  .record({
    M: sizeUpTo(11),
    groups: fc.integer({ min: 1, max: 9 }),
    K: sizeUpTo(129, 3),
    group: fc.constantFrom(8, 32),
  })
  .chain(({ M, groups, K, group }) =>
    fc.constantFrom("auto", "together", "apart").map((variant): OpCase => {
      const N = group * groups;
      const inputs = { a: f32([M, K]), gain: f32([K]), ...bytesCase(K, N, group), shift: f32([K]), bias: f32([N]) };
      return { inputs, attrs: { variant, activation: "gelu_new" } };
    }),
  );

/** The same in f16, as far as the op takes it. */
function inHalves(op: AnyOp, { inputs, attrs }: OpCase): OpCase {
  const halves = Object.entries(inputs).map(([name, input]) => [
    name,
    op.halves?.includes(name) && input.dtype === "f32" ? { ...input, dtype: "f16" } : input,
  ]);
  const result = "result" in (op.attrs ?? {}) ? { result: "f16" } : {};
  return { inputs: Object.fromEntries(halves), attrs: { ...attrs, ...result } };
}

function opNamed(name: string): AnyOp {
  const of = name === ON_MATRICES ? matmulOp.name : name;
  return OPS.find((one) => one.name === of || inBytes(one.name) === of)!;
}

/** f16 goes into the larger ones, f32 into the others. */
const EMULATED = [
  { componentType: "f16", resultComponentType: "f32", M: 16, N: 8, K: 16 },
  { componentType: "f32", resultComponentType: "f32", M: 8, N: 8, K: 8 },
];

/** What there is to draw for an op on an adapter: half of it in f16, where both take that. */
export function randomCases(adapter: TestDriver, name: string): fc.Arbitrary<OpCase> {
  const op = opNamed(name);
  const halves = adapter !== "wasm" && halvesOn(adapter);
  const packedHalves = adapter !== "wasm";
  const cases = RANDOM_CASES[name]!.filter((check) => halves || !needsHalves(op, check, { packedHalves }));
  // What has words for f16 has a shape of its own for it, and draws it itself.
  if (!halves || op.words || !(op.halves || "result" in (op.attrs ?? {}))) return cases;
  return fc.tuple(cases, fc.boolean()).map(([check, halves]) => (halves ? inHalves(op, check) : check));
}

/** Random cases of each op by its name; the ops of gradients are met in the backward passes of the others. */
export const RANDOM_CASES: Readonly<Record<string, fc.Arbitrary<OpCase>>> = {
  accumulate: matrix.map((shape) => ({ inputs: { sum: f32(shape), x: f32(shape), step } })),
  adamw,
  add: matrix.map((shape) => ({ inputs: { a: f32(shape), b: f32(shape) } })),
  attention: fc.oneof(attention, packedAttention),
  cacheAppend,
  cast: fc
    .tuple(matrix, fc.constantFrom("f32", "f16"))
    .map(([shape, to]) => ({ inputs: { x: f32(shape) }, attrs: { to } })),
  cachedAttention,
  columnSum: matrix.map((shape) => ({ inputs: { x: f32(shape) } })),
  crossEntropy,
  dropout: matrix.map((shape) => ({ inputs: { x: f32(shape), step }, attrs: { rate: 0.3, stream: 17 } })),
  droppedMatmul,
  embedding,
  gelu: gelu.map(({ shape, approximate }) => ({ inputs: { x: { ...f32(shape), scale: 3 } }, attrs: { approximate } })),
  geluMatmul,
  gradientNorm: fc.tuple(sizeUpTo(129), fc.boolean()).map(([N, continued]) => {
    const before = { before: { ...f32([4]), values: [2, 1, 1, 1] } };
    return { inputs: { gradients: f32([N]), loss: f32([1]), ...(continued ? before : {}) } };
  }),
  layerNorm,
  lossScaler: fc
    .record({ power: fc.nat({ max: 24 }), good: fc.nat({ max: 9 }), healthy: fc.constantFrom(0, 1) })
    .map(({ power, good, healthy }) => ({
      inputs: {
        scaler: { ...f32([2]), values: [2 ** power, good] },
        stats: { ...f32([4]), values: [3, 0.5, healthy, 2 ** power] },
      },
      attrs: { interval: 10 },
    })),
  matmul: product,
  normalizedMatmul,
  [inBytes("matmul")]: byteProduct,
  [inBytes("normalizedMatmul")]: byteNormalized,
  [inBytes("embedding")]: byteEmbedding,
  // The shaders of matrix units: they compile for seconds where matrices are emulated.
  [ON_MATRICES]: product.map(({ inputs, attrs }) => {
    return { inputs, attrs: { ...attrs, variant: "matrix2x2", splits: 3 } };
  }),
  sampleToken,
  scale: matrix.map((shape) => ({ inputs: { x: f32(shape) }, attrs: { factor: -0.7 } })),
  scaledFill: matrix.map((shape) => ({ inputs: { dy: f32([1]), step }, attrs: { shape } })),
  scaledSum: sizeUpTo(129).map((N) => ({ inputs: { x: { ...f32([N]), values: positive(N) }, step } })),
  attentionWeights,
  topTokens,
};

/** Relative L2 distance allowed; sums here have at most 129 terms. */
const BOUND = 1e-5;

/** How often what float32 itself loses where a sum cancels: kernels add in another order, and draw exp from other series. */
const TIMES_FLOAT32 = 10;

/**
 * Runs a case and its backward pass, compares with the CPU in float64, and looks after the guard zones. Gives the error, of which what the
 * CPU in float32 is off by in the same tensor does not count: a gradient that is one sum may cancel to nothing.
 */
export async function checkRandomCase(adapter: TestDriver, name: string, check: OpCase, seed: number): Promise<number> {
  const op = opNamed(name);
  if (adapter === "wasm") {
    const runtime = await wasmRuntime();
    return errorOf(runtime, op, check, seed).finally(runtime.close);
  }
  const opened = await openCheckGpu(adapter);
  const emulates = name === ON_MATRICES;
  const gpu = guardGpu(emulates ? withMatrices(opened, opened.info.subgroupMinSize) : opened);
  const runtime = createGpuRuntime(gpu, emulates ? { subgroupMatrices: EMULATED } : {});
  const error = await errorOf(runtime, op, check, seed).finally(runtime.close);
  await gpu.checkGuards();
  return error;
}

async function errorOf(runtime: Runtime, op: AnyOp, check: OpCase, seed: number): Promise<number> {
  const roundings = halfRoundings(traceOp(op, check).tape, op.outputs);
  const wanted = await runOp(createCpuRuntime({ precision: "float64" }), op, check, seed);
  const got = await runOp(runtime, op, check, seed);
  let single: Tensors | undefined;
  let worst = 0;
  for (const [tensor, data] of Object.entries(wanted)) {
    const off = (by: Tensors): number =>
      compareTensors({ [tensor]: by[tensor] ?? new Float32Array() }, { [tensor]: data }, roundings).error;
    const error = off(got);
    const allowed = BOUND + adversaryAllowance;
    if (error > allowed) single ??= await runOp(createCpuRuntime({ precision: "float32" }), op, check, seed);
    const lost = error > allowed ? off(single!) : 0;
    const left = error - TIMES_FLOAT32 * lost;
    if (!(left <= allowed))
      throw new Error(`${tensor} is ${error} away, allowed are ${BOUND}; the CPU in float32 is ${lost} away`);
    worst = Math.max(worst, left);
  }
  return worst;
}
