/** Numbers as people write them: with a point or a decimal comma, and never with separators of thousands, which another language takes for one. */

/** What is between a number and its decimals. */
export type DecimalMark = "." | ",";

const WRITTEN = /^([+-]?)(\d*)(?:([.,])(\d*))?(e[+-]?\d+)?$/i;
const THOUSANDS = /^[+-]?[1-9]\d{0,2}([.,'’\s]\d{3})+(?:[.,]\d+)?$/;

/**
 * The number that was written; undefined where it is none, or might be two. A mark that is not the language's own is taken for that of
 * decimals only where it cannot separate thousands: 0,85 is a number in English, too, and 1,000 is none. A whole number has no decimals
 * by three: neither 1,000 nor 1.000 is one, in any language.
 */
export function readNumber(
  text: string,
  { mark, whole = false }: { mark: DecimalMark; whole?: boolean },
): number | undefined {
  const written = text.trim().replace(/^\u2212/, "-");
  const [found, sign, before = "", used, after = "", power = ""] = WRITTEN.exec(written) ?? [];
  if (found === undefined || before + after === "") return undefined;
  if (isGrouped(written) && (whole || used !== mark)) return undefined;
  const value = Number(`${sign}${before || 0}.${after || 0}${power}`);
  return Number.isFinite(value) ? value : undefined;
}

/** Whether thousands may be separated in it, or in what a power of ten follows. */
export function isGrouped(text: string): boolean {
  return THOUSANDS.test(text.trim().replace(/e[+-]?\d+$/i, ""));
}

/** As `readNumber` reads it. */
export function writeNumber(value: number, mark: DecimalMark): string {
  return String(value).replace(".", mark);
}
