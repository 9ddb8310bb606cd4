import { type Binding, type Dispatch, grid1d, read, type ShaderName, write } from "./dispatch.ts";
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

/** Kernels without a score in memory: each invocation holds a row, or a key, in registers. */
export function rowsForward(sizes: AttentionSizes, traits: Traits): Dispatch[] {
  return [{ ...kernel("forward", sizes, traits), bind: [...shared(sizes), write("y"), write("logSumExp")] }];
}

/** Wants scratch `delta`, [B H T]. */
export function rowsBackward(sizes: AttentionSizes, traits: Traits): Dispatch[] {
  const forQueries = [read("y"), read("logSumExp"), read("dy"), write("dqkv"), write("delta")];
  const forKeys = [read("logSumExp"), read("dy"), read("delta"), write("dqkv")];
  return [
    { ...kernel("backward_queries", sizes, traits), bind: [...shared(sizes), ...forQueries] },
    { ...kernel("backward_keys", sizes, traits), bind: [...shared(sizes), ...forKeys] },
  ];
}

const WORKGROUP = 64;

function shared(sizes: AttentionSizes) {
  return [read("qkv"), bounds(sizes).bind, stepOf(sizes)];
}

function kernel(
  entry: "forward" | "backward_queries" | "backward_keys",
  sizes: AttentionSizes,
  traits: Traits,
): Omit<Dispatch, "bind"> {
  const { B, T, H, D, scale, rate, stream } = sizes;
  const pack: ShaderName = D % 4 === 0 ? "lib/pack4" : "lib/pack1";
  return {
    shader: [
      ...(["lib/grid", "lib/philox", "lib/step", pack, "attention/common"] as const),
      ...([bounds(sizes).shader, "attention/kept", `attention/${entry}`] as const),
    ],
    entry,
    uniforms: { B, T, H, SCALE: scale, RATE: rate, STREAM: stream },
    constants: { DROPS: Number(rate > 0) },
    sizes: { D, WORKGROUP, [entry === "backward_keys" ? "KEYS" : "QUERIES"]: 1 },
    grid: grid1d(B * H * T, WORKGROUP, traits),
  };
}
