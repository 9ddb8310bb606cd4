import { expect, test } from "vitest";
import { philox } from "../../src/core/philox.ts";
import { inverseOf, quantize, stepFor, wholeOf } from "../../src/core/quantize.ts";

const NUMBERS = new Float32Array(Uint32Array.from({ length: 8192 }, (_, i) => philox([i, 0, 5, 0], [1, 0])[0]).buffer);
const quantized = (value: number, step: number): number => wholeOf(value, inverseOf(step));
const SIZES = [...NUMBERS].map(Math.abs).filter((x) => Number.isFinite(x) && x >= 2 ** -100);

test("a step is of 5 bits, no more than a sixteenth above what its largest number needs, and that number is within 127 steps", () => {
  const bad = [...SIZES, 1, 127, 2 ** -100, 3.4028234663852886e38].filter((highest) => {
    const step = stepFor(highest);
    const sixteenths = (16 * step) / 2 ** Math.floor(Math.log2(step));
    const most = quantized(highest, step);
    return !(
      Number.isInteger(sixteenths) &&
      step * 127 >= highest &&
      step * 127 < highest * (17 / 16) * (1 + 2 ** -20) &&
      most <= 127 &&
      most >= 119 &&
      quantized(-highest, step) === -most
    );
  });
  expect(SIZES.length).toBeGreaterThan(4000);
  expect(bad).toEqual([]);
});

test("a number is the nearest whole number of steps", () => {
  const far: [value: number, step: number][] = [];
  for (const [i, highest] of SIZES.slice(0, 500).entries()) {
    const step = stepFor(highest);
    for (let n = -8; n <= 8; n++) {
      const value = Math.fround(highest * (n / 8) * (1 - i / 1000));
      if (!(Math.abs(quantized(value, step) - value / step) <= 0.5 + 1e-5)) far.push([value, step]);
    }
    for (let n = -127; n <= 127; n++) if (quantized(n * step, step) !== n) far.push([n * step, step]);
  }
  expect(far).toEqual([]);
  expect([0.5, 1.5, 2.5, -0.5, -1.5].map((x) => quantized(x, 1) + 0)).toEqual([0, 2, 2, 0, -2]);
});

test("what is not finite has no step, and what is next to nothing is zero", () => {
  for (const highest of [Infinity, Number.NaN, 1e39]) expect(stepFor(highest)).toBeNaN();
  expect(stepFor(0)).toBe(stepFor(2 ** -100));
  expect(quantized(1e-35, stepFor(1e-35)) + 0).toBe(0);
});

test("numbers that share a step are its multiples, and of those with one that is not finite there is nothing left", () => {
  const to = new Int8Array(8).fill(99);
  const step = quantize([9, -1, 0.5, 126, 0], 1, 3, to, 2);
  expect(step).toBe(1);
  expect([...to]).toEqual([99, 99, -1, 0, 126, 99, 99, 99]);
  for (const bad of [Number.NaN, Infinity, -Infinity, 1e39]) {
    expect(quantize([1, bad, 2, 3], 0, 4, to, 0)).toBeNaN();
    expect([...to.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
  }
});
