import { expect, test } from "vitest";
import { rate } from "../../src/core/units.ts";

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
