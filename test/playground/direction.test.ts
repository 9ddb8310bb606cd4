import { expect, test } from "vitest";
import { directionOf } from "../../web/playground/views/direction.ts";

test.each([
  ["", "ltr"],
  ["abc \u05d0", "ltr"],
  ["\u05d0\u05d1 abc", "rtl"],
  ["1. \u0645\u0631\u062d\u0628\u0627", "rtl"],
  ["\ud83c\udf4e \u05d0", "rtl"],
  ["12 + 3", "ltr"],
  ["\u4e16\u754c", "ltr"],
])("%j is written %s", (text, wanted) => {
  expect(directionOf(text)).toBe(wanted);
});
