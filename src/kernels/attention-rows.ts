import { bytesPerElement, type FloatDType, WORD_BYTES } from "../core/dtype.ts";
import {
  type Binding,
  type Dispatch,
  grid1d,
  read,
  type ShaderName,
  type Span,
  storedType,
  storeShader,
  write,
} from "./dispatch.ts";
import { cut, type Range } from "./matmul/product.ts";
import type { Traits } from "./traits.ts";

/** What attention kernels are built for: batch, positions, heads, columns of a head and of them all, and dropout. */
export interface AttentionSizes {
  readonly B: number;
  readonly T: number;
  readonly H: number;
  readonly D: number;
  readonly C: number;
  /** 1 / sqrt(D) */
  readonly scale: number;
  /** Of dropout; 0 for none. */
  readonly rate: number;
  readonly stream: number;
  /** Whether sequences are several records end to end, told apart by `starts`, and not one each, told by `lengths`. */
  readonly packed: boolean;
  /** Of qkv, y and their gradients. */
  readonly dtype: FloatDType;
}

/** The binding that says which keys a row sees, and the shader that reads it. */
export function bounds({ packed }: AttentionSizes): { readonly bind: Binding; readonly shader: ShaderName } {
  return packed
    ? { bind: read("starts"), shader: "attention/packed" }
    : { bind: read("lengths"), shader: "attention/whole" };
}

/** Where there is no dropout, something else is bound in place of `step`. */
export function stepOf({ rate }: AttentionSizes): Binding {
  return read(rate > 0 ? "step" : "lengths");
}

/** The sequences whose rows of qkv and y one binding may cover, several times over until all have had their turn. */
export function stretchesOf({ B, T, C, dtype }: AttentionSizes, traits: Traits): Range[] {
  // What is summed is f32 whatever the tensors are.
  const rows = [WORD_BYTES, bytesPerElement(dtype)].flatMap((bytes) => [3 * T * C * bytes, T * C * bytes]);
  return cut(B, rows, traits, 1);
}

/** What is bound of a tensor with a row of `columns` elements for each position: these sequences. */
export function rowsOf({ B, T }: AttentionSizes, { start, length }: Range, columns: number): Span | undefined {
  return length === B ? undefined : { offset: start * T * columns, length: length * T * columns };
}

/** Kernels without a score in memory: each invocation holds a row, or a key, in registers. */
export function rowsForward(sizes: AttentionSizes, traits: Traits): Dispatch[] {
  return stretchesOf(sizes, traits).map((stretch) => {
    const { shared, narrow } = bindingsOf(sizes, stretch);
    return {
      ...kernel("forward", stretch, sizes, traits),
      bind: [...shared, write("y", narrow), write("logSumExp")],
    };
  });
}

/** Wants scratch `delta`, [B H T]. */
export function rowsBackward(sizes: AttentionSizes, traits: Traits): Dispatch[] {
  return stretchesOf(sizes, traits).flatMap((stretch) => {
    const { shared, narrow, wide } = bindingsOf(sizes, stretch);
    const dy = read("dy", narrow);
    const forQueries = [read("y", narrow), read("logSumExp"), dy, write("dqkv", wide), write("delta")];
    const forKeys = [read("logSumExp"), dy, read("delta"), write("dqkv", wide)];
    return [
      { ...kernel("backward_queries", stretch, sizes, traits), bind: [...shared, ...forQueries] },
      { ...kernel("backward_keys", stretch, sizes, traits), bind: [...shared, ...forKeys] },
    ];
  });
}

const WORKGROUP = 64;

function bindingsOf(sizes: AttentionSizes, stretch: Range) {
  const wide = rowsOf(sizes, stretch, 3 * sizes.C);
  const narrow = rowsOf(sizes, stretch, sizes.C);
  return { wide, narrow, shared: [read("qkv", wide), bounds(sizes).bind, stepOf(sizes)] };
}

function kernel(
  entry: "forward" | "backward_queries" | "backward_keys",
  stretch: Range,
  sizes: AttentionSizes,
  traits: Traits,
): Omit<Dispatch, "bind"> {
  const { T, H, D, scale, rate, stream, dtype } = sizes;
  const pack = D % 4 === 0 ? 4 : 1;
  return {
    shader: [
      ...(["lib/grid", "lib/philox", "lib/step", `lib/pack${pack}`, storeShader(dtype, pack)] as const),
      "attention/common",
      ...([bounds(sizes).shader, "attention/kept", `attention/${entry}`] as const),
    ],
    entry,
    types: { X: storedType(dtype, pack) },
    uniforms: { B: stretch.length, B0: stretch.start, T, H, SCALE: scale, RATE: rate, STREAM: stream },
    constants: { DROPS: Number(rate > 0) },
    sizes: { D, WORKGROUP, [entry === "backward_keys" ? "KEYS" : "QUERIES"]: 1 },
    grid: grid1d(stretch.length * H * T, WORKGROUP, traits),
  };
}
