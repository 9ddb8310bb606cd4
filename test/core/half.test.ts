import { describe, expect, test } from "vitest";
import { halfBits, halfValues, LARGEST_HALF, roundToHalf } from "../../src/core/half.ts";

describe("f16", () => {
  test("each of the 65,536 rounds to itself, NaN to NaN", () => {
    const wrong = [...halfValues()].filter((value, bits) =>
      Number.isNaN(value) ? !Number.isNaN(roundToHalf(value)) : halfBits(value) !== bits,
    );
    expect(wrong).toEqual([]);
  });

  test("what lies between two goes to the nearer, and half-way to the even one", () => {
    const finite = halfValues().slice(0, 0x7c00);
    const wrong: number[] = [];
    for (let bits = 0; bits + 1 < finite.length; bits++) {
      const [below, above] = [finite[bits]!, finite[bits + 1]!];
      const middle = (below + above) / 2;
      const step = (above - below) / 1024;
      const rounded = [middle - step, middle + step, -middle].map(halfBits);
      const wanted = [bits, bits + 1, 0x8000 | (bits + (bits % 2))];
      if (rounded.some((got, i) => got !== wanted[i])) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    [LARGEST_HALF, LARGEST_HALF],
    [65519.99, LARGEST_HALF],
    [65520, Number.POSITIVE_INFINITY],
    [-1e30, Number.NEGATIVE_INFINITY],
    [2 ** -24, 2 ** -24],
    [2 ** -25, 0],
    [1 + 2 ** -11, 1],
    [1 + 3 * 2 ** -11, 1 + 2 ** -9],
  ])("%d becomes %d", (value, wanted) => {
    expect(roundToHalf(value)).toBe(wanted);
  });
});
