import { bytesPerElement, type FloatDType, type Format, WORD_BYTES } from "../core/dtype.ts";
import type { Traits } from "./traits.ts";

/** What goes over a sum last: nothing, GELU's tanh approximation, or GELU itself, by transformers' names. */
export type Activation = "linear" | "gelu_new" | "gelu";

/** y[M, N] = op(a) . op(b), op(a) [M, K], op(b) [K, N]; op is the identity or the transposition. */
export interface Product {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Elements from row to row of a and of y, where rows are longer than what counts of them. */
  readonly rowA?: number;
  readonly rowY?: number;
  /** All f32 where absent. */
  readonly types?: ProductTypes;
  /** An operand of f32 beside one of f16 keeps its digits: it is not rounded for matrix units. */
  readonly exact?: boolean;
  /** Numbers side by side in b that share a step, where it is i8. */
  readonly group?: number;
}

/** Element types of the tensors of a product; it is computed in f32 whatever they are. */
export interface ProductTypes {
  readonly a: FloatDType;
  readonly b: Format;
  readonly y: FloatDType;
  readonly residual?: FloatDType;
  readonly slope?: FloatDType;
}

export const ALL_F32 = { a: "f32", b: "f32", y: "f32" } as const satisfies ProductTypes;

/**
 * A longer K, a vocabulary's or that of all tokens of a batch, is cut into stretches, since the error of what is summed in a row grows
 * with it: of this on GPUs, which read and write what a stretch gives, and of less on software drivers. Shorter ones stay
 * whole: a second set of sums in registers costs 4 % on llvmpipe and 15 % on SwiftShader whatever K is, and a second pass is not worth it.
 */
export const LONGEST_WHOLE = 4096;

export function typesOf({ types = ALL_F32 }: Product): ProductTypes {
  return types;
}

/** From `start`, `length` of them. */
export interface Range {
  readonly start: number;
  readonly length: number;
}

/** A part of a product that its bindings allow: these rows and columns of y, summed over these k. */
export interface Piece {
  readonly m: Range;
  readonly n: Range;
  readonly k: Range;
}

/** The length of a row of a, b, y as they lie in memory. */
export function rowLengths(p: Product): { a: number; b: number; y: number } {
  return { a: p.rowA ?? (p.transposeA ? p.M : p.K), b: p.transposeB ? p.K : p.N, y: p.rowY ?? p.N };
}

/** The same in bytes; a residual and a slope lie as y does, and steps as the rows of b that they are of. */
function rowBytes(p: Product): { a: number; b: number[]; y: number[] } {
  const row = rowLengths(p);
  const { a, b, y, residual = y, slope = y } = typesOf(p);
  return {
    a: row.a * bytesPerElement(a),
    b: [row.b * bytesPerElement(b), ...(b === "i8" && p.group ? [(row.b / p.group) * WORD_BYTES] : [])],
    y: [y, residual, slope].map((dtype) => row.y * bytesPerElement(dtype)),
  };
}

/**
 * Cuts a product so that no piece binds more than `maxBindingBytes` of a tensor. Tensors are cut between rows, so
 * M is cut where y (or a) is too large, N where a transposed b is, and K where a transposed a or a plain b is: pieces
 * of one (m, n) then add up, in order of k. Nearly always there is one piece; without rows or columns there is none.
 */
export function piecesOf(p: Product, traits: Traits): Piece[] {
  const row = rowBytes(p);
  const ms = cut(p.M, p.transposeA ? row.y : [...row.y, row.a], traits);
  const ns = cut(p.N, p.transposeB ? row.b : [], traits);
  const ks = cut(p.K, [...(p.transposeA ? [row.a] : []), ...(p.transposeB ? [] : row.b)], traits);
  const summands = ks.length > 0 ? ks : [{ start: 0, length: 0 }];
  return ms.flatMap((m) => ns.flatMap((n) => summands.map((k) => ({ m, n, k }))));
}

/**
 * Cuts `length` rows of several tensors, whose rows have so many bytes, alike; at offsets that each can be bound at.
 * Multiples of 4 keep loads of 4 elements possible in the pieces of the other operand of a product.
 */
export function cut(length: number, rows: readonly number[], traits: Traits, multiple = 4): Range[] {
  if (length === 0) return [];
  const most = Math.min(length, ...rows.map((row) => Math.floor(traits.maxBindingBytes / row)));
  if (most === length) return [{ start: 0, length }];
  const alignment = traits.offsetAlignment;
  const unit = rows.reduce((all, row) => lcm(all, alignment / gcd(alignment, row)), multiple);
  const step = Math.floor(most / unit) * unit;
  if (step === 0) {
    throw new Error(`${unit} rows of ${Math.max(...rows)} bytes exceed a binding of ${traits.maxBindingBytes} bytes`);
  }
  const ranges: Range[] = [];
  for (let start = 0; start < length; start += step) ranges.push({ start, length: Math.min(step, length - start) });
  return ranges;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function lcm(a: number, b: number): number {
  return (a / gcd(a, b)) * b;
}
