import type { Matrix } from "../byte-matrix.ts";
import type { Span } from "../dispatch.ts";
import { cut, type Range } from "../product.ts";
import type { Traits } from "../traits.ts";

/** Some rows of a matrix in 8 bits, and where they lie in its words, in its steps, and in its numbers. */
export interface ByteSpan {
  readonly rows: Range;
  readonly words: Span;
  readonly steps: Span;
  readonly numbers: Span;
}

/** The rows of a matrix in stretches that one binding covers; `wide`: of its numbers in f32, too. */
export function byteSpans({ shape, group = 1 }: Matrix, traits: Traits, wide = false): ByteSpan[] {
  const [R = 0, C = 0] = shape;
  if (C === 0) return [];
  return cut(R, [C, (4 * C) / group, ...(wide ? [4 * C] : [])], traits, 1).map((rows) => {
    const part = (each: number): Span => ({ offset: (rows.start * C) / each, length: (rows.length * C) / each });
    return { rows, words: part(4), steps: part(group), numbers: part(1) };
  });
}
