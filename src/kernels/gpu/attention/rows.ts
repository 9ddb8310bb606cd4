import { bytesPerElement, WORD_BYTES } from "../../../core/dtype.ts";
import { type AttentionSizes, keptScale } from "../../attention-sizes.ts";
import {
  type Binding,
  type Dispatch,
  gridOf,
  read,
  roomy,
  type ShaderName,
  type Span,
  storedType,
  storeShader,
  write,
} from "../../dispatch.ts";
import { cut, type Range } from "../../product.ts";
import type { Traits } from "../../traits.ts";

/** The binding that says which keys a row sees, and the shader that reads it. */
export function bounds({ packed }: AttentionSizes): { readonly bind: Binding; readonly shader: ShaderName } {
  return packed
    ? { bind: read("starts"), shader: "attention/packed" }
    : { bind: read("lengths"), shader: "attention/whole" };
}

/** Where there is no dropout, something else is bound in place of `step`. */
export function stepOf({ dropped }: AttentionSizes): Binding {
  return read(dropped > 0 ? "step" : "lengths");
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

/** How many invocations share a row, or a key, of which each holds its part in registers. */
export type Lanes = 1 | 4 | 8 | 16;

/**
 * Whether four invocations may share a row, and whether that is worth it by default: alone, an invocation holds k, v and their
 * gradients of a key, 4 D numbers. From heads of 32 on that is half or more of the 255 registers that NVIDIA's have at most. Where
 * there are 64 of them eight do, and sixteen of heads of 128, if all their subgroups have as many.
 */
export function quadsOf(
  { D }: Pick<AttentionSizes, "D">,
  { subgroups, quads, fewRegisters, subgroupMinSize }: Traits,
): { can: boolean; worth: boolean; lanes: Lanes } {
  const can = subgroups && quads && D % 16 === 0;
  const most = fewRegisters ? subgroupMinSize : 4;
  const lanes = D > 64 && D % 64 === 0 && most >= 16 ? 16 : D % 32 === 0 && most >= 8 ? 8 : 4;
  return { can, worth: can && D >= 32, lanes };
}

/** Kernels without a score in memory: `lanes` invocations hold rows, or keys, in registers. */
export function rowsForward(sizes: AttentionSizes, lanes: Lanes, traits: Traits): Dispatch[] {
  return stretchesOf(sizes, traits).map((stretch) => {
    const { shared, narrow } = bindingsOf(sizes, stretch);
    return {
      ...kernel("forward", stretch, sizes, lanes, traits),
      bind: [...shared, write("y", narrow), write("logSumExp")],
    };
  });
}

/** Wants scratch `delta`, [B H T]. */
export function rowsBackward(sizes: AttentionSizes, lanes: Lanes, traits: Traits): Dispatch[] {
  return stretchesOf(sizes, traits).flatMap((stretch) => {
    const { shared, narrow, wide } = bindingsOf(sizes, stretch);
    const dy = read("dy", narrow);
    const forQueries = [read("y", narrow), read("logSumExp"), dy, write("dqkv", wide), write("delta")];
    const forKeys = [read("logSumExp"), dy, read("delta"), write("dqkv", wide)];
    return [
      { ...kernel("backward_queries", stretch, sizes, lanes, traits), bind: [...shared, ...forQueries] },
      { ...kernel("backward_keys", stretch, sizes, lanes, traits), bind: [...shared, ...forKeys] },
    ];
  });
}

const LANE_SHADERS = {
  1: "attention/gpu/lane_alone",
  4: "attention/gpu/lane_quad",
  8: "attention/gpu/lane_octet",
  16: "attention/gpu/lane_sixteen",
} as const satisfies Record<Lanes, ShaderName>;

/**
 * Rows, or keys, that invocations hold at a time: each load then serves so many. Quads hold as many as take 64 registers a tensor
 * forward and 32 backward, where there are twice the tensors; one where registers are few.
 */
function heldRows(entry: Entry, { D }: AttentionSizes, lanes: Lanes, { fewRegisters }: Traits): number {
  if (lanes === 1 || fewRegisters) return 1;
  const most = D <= 64 ? 4 : 2;
  return entry === "forward" ? most : most / 2;
}

/** What is bound of these sequences, `wide` of qkv and `narrow` of y, and what all kernels in rows bind first. */
export function bindingsOf(sizes: AttentionSizes, stretch: Range) {
  const wide = rowsOf(sizes, stretch, 3 * sizes.C);
  const narrow = rowsOf(sizes, stretch, sizes.C);
  return { wide, narrow, shared: [read("qkv", wide), bounds(sizes).bind, stepOf(sizes)] };
}

type Entry = "forward" | "backward_queries" | "backward_keys";

/** Half as many hold in 64 registers what there is forward, half the tensors; as many would compute a quarter more. */
function lanesOf(entry: Entry, { D }: AttentionSizes, most: Lanes): Lanes {
  if (entry !== "forward") return most;
  if (most === 16) return 8;
  return most === 8 && D <= 64 ? 4 : most;
}

function kernel(
  entry: Entry,
  stretch: Range,
  sizes: AttentionSizes,
  most: Lanes,
  traits: Traits,
): Omit<Dispatch, "bind"> {
  const lanes = lanesOf(entry, sizes, most);
  const { T, H, D, scale, dropped, stream, dtype } = sizes;
  const pack = D % 4 === 0 ? 4 : 1;
  const held = heldRows(entry, sizes, lanes, traits);
  // keys that queries go through at a time
  const others = traits.fewRegisters ? 2 : 4;
  // eight keys of a workgroup at least, for which dropout is drawn at once
  const workgroup = lanes === 16 ? 128 : 64;
  const rowsOfGroup = (workgroup / lanes) * held;
  return {
    shader: [
      ...(["lib/grid", "lib/philox", "lib/step", `lib/pack${pack}`, storeShader(dtype, pack)] as const),
      ...(["attention/gpu/common", "attention/gpu/drops"] as const),
      LANE_SHADERS[lanes],
      ...([bounds(sizes).shader, `attention/gpu/${entry}`] as const),
    ],
    entry,
    ...(lanes > 1 ? { enable: ["subgroups"] as const } : {}),
    ...roomy(workgroup, traits),
    types: { X: storedType(dtype, pack) },
    uniforms: {
      ...{ B: stretch.length, B0: stretch.start, T, H, SCALE: scale },
      ...{ DROPPED: dropped, KEPT: keptScale(dropped), STREAM: stream },
    },
    constants: { DROPS: Number(dropped > 0) },
    sizes: {
      D,
      WORKGROUP: workgroup,
      ...(entry === "backward_keys" ? { KEYS: held } : { QUERIES: held, KEYS_HELD: others }),
    },
    grid: gridOf(stretch.length * H * Math.ceil(T / rowsOfGroup), traits),
  };
}
