import { expect, test } from "vitest";
import { byteSize, decimals, rate } from "../../src/core/units.ts";

test.each([
  [0, "0"],
  [0.0421, "0.042"],
  [1.44, "1.4"],
  [9.96, "10"],
  [12.4, "12"],
  [2480.2, "2,480"],
])("%d a second is %s", (value, text) => {
  expect(rate(value)).toBe(text);
});

test.each([
  [0, "0 bytes"],
  [1000, "1000 bytes"],
  [100_000, "98 KiB"],
  [2 ** 20, "1.0 MiB"],
  [3 * 2 ** 30, "3.00 GiB"],
])("%d bytes are %s", (bytes, text) => {
  expect(byteSize(bytes)).toBe(text);
});

test("decimals matter less the larger a number is", () => {
  expect([15.7312, 9_999_999, 1.2136739e69, Number.POSITIVE_INFINITY].map((value) => decimals(value, 2))).toEqual([
    "15.73",
    "9999999.00",
    "1.21e+69",
    "Infinity",
  ]);
});
