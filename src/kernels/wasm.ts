import { type Shape, sizeOf } from "../core/shape.ts";
import type { Scratch } from "./dispatch.ts";
import type { WASM_EXPORTS } from "./wasm.gen.ts";

/** A function of the module that wasm/ is compiled to, whose form is that of a kernel: (args, piece, scratch). */
export type WasmKernel = Exclude<(typeof WASM_EXPORTS)[number], "finished" | "help" | "serve">;

/**
 * One word of a kernel's arguments: a whole number, an f32, or the address of a tensor of the op, from `offset` elements of
 * 4 bytes on; 0 where it is absent.
 */
export type WasmArg = number | { readonly f32: number } | { readonly tensor: string; readonly offset?: number };

/** One call of a kernel, as plain data. Its pieces may run at once, on any number of threads. */
export interface WasmCall {
  readonly kernel: WasmKernel;
  readonly args: readonly WasmArg[];
  /** Cut by sizes alone, so that no bit depends on how many threads there are. */
  readonly pieces: number;
  /** Bytes that each thread wants for itself. */
  readonly scratchBytes?: number;
}

/** What an op does on WebAssembly: calls, in order, each of which sees what those before it wrote. */
export interface WasmWork {
  readonly calls: readonly WasmCall[];
  /** Tensors that live only between these calls, by name. */
  readonly scratch?: Readonly<Record<string, Scratch>>;
}

/** Elements of a piece: some 10 us of work, so that taking it costs little. */
const CHUNK = 16384;

export function at(tensor: string): WasmArg {
  return { tensor };
}

export function real(f32: number): WasmArg {
  return { f32 };
}

/** A call over all elements of a tensor, each by itself. */
export function eachElement(
  kernel: WasmKernel,
  { shape }: { readonly shape: Shape },
  args: readonly WasmArg[],
  chunk = CHUNK,
  scratchBytes = 0,
): WasmWork {
  const n = sizeOf(shape);
  return { calls: [{ kernel, args: [n, chunk, ...args], pieces: Math.ceil(n / chunk), scratchBytes }] };
}

/** Rows of a piece of a call over `rows` rows. */
export function rowsOfPiece(columns: number): number {
  return Math.max(1, Math.ceil(CHUNK / Math.max(1, columns)));
}

/** A call over rows, each by itself. */
export function eachRow(kernel: WasmKernel, rows: number, columns: number, args: readonly WasmArg[]): WasmCall {
  const some = rowsOfPiece(columns);
  return { kernel, args: [rows, columns, some, ...args], pieces: Math.ceil(rows / some) };
}

/**
 * Sums over rows, in two passes: of each stretch of at most 32 rows, as long as a run of `shaders/lib/sum.wgsl`, then over the
 * stretches in float64. `width`: numbers that a
 * stretch leaves; `sums`: where they go, by the name of the output and the offset in a stretch.
 */
export function sumOverRows(
  kernel: WasmKernel,
  [rows, columns]: readonly [number, number],
  args: readonly WasmArg[],
  width: number,
  sums: readonly (readonly [output: string, offset: number])[],
): WasmWork {
  const some = Math.min(32, Math.max(16, Math.ceil(Math.sqrt(rows))));
  const stretches = Math.ceil(rows / some);
  const columnsOfPiece = Math.max(64, Math.ceil(CHUNK / Math.max(1, stretches)));
  return {
    calls: [
      { kernel, args: [rows, columns, some, ...args, at("partials")], pieces: stretches },
      ...sums.map(([output, offset]): WasmCall => {
        const from: WasmArg = { tensor: "partials", offset };
        const pieces = Math.ceil(columns / columnsOfPiece);
        return { kernel: "sumParts", args: [stretches, columns, columnsOfPiece, from, width, at(output)], pieces };
      }),
    ],
    scratch: { partials: { dtype: "f32", length: stretches * width } },
  };
}
