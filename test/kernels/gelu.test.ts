import { describe, expect, test } from "vitest";
import { erf, erfc } from "../../src/core/erf.ts";
import { geluBackwardOp, geluOp } from "../../src/kernels/gelu.ts";
import { f32 } from "../../src/kernels/op.ts";
import { runOp } from "../../src/runtime/compare.ts";
import { checkOp } from "../support/check.ts";
import { openTestRuntime, testDrivers } from "../support/drivers.ts";

const both = (inputs: object) => [
  { inputs: { ...inputs }, attrs: { approximate: "tanh" } },
  { inputs: { ...inputs }, attrs: { approximate: "none" } },
];

const wide = { ...f32([40, 25]), scale: 4 };
checkOp(geluOp, { gpuCases: both({ x: wide }) });
// A binding of 1 KiB, and two or more workgroups a dimension: the tensor goes in spans, the grid is folded.
checkOp(geluBackwardOp, {
  gpuCases: both({ x: wide, dy: f32([40, 25]) }),
  traits: { maxBindingBytes: 1024, maxGroupsPerDimension: 2 },
});

// Powers of x and exponentials overflow here unless the kernel takes care: x must come back, or 0, never NaN.
const LARGE = [13, 88, 1e4, 1e13, 3e38, -13, -88, -1e4, -1e13, -3e38, 0, 1e-30];

describe.each(testDrivers)("%s", (adapter) => {
  test.each(["tanh", "none"])("gelu of large numbers is exact, its slope 1 or 0: %s", async (approximate) => {
    const runtime = await openTestRuntime(adapter);
    const x = { ...f32([LARGE.length]), values: LARGE };
    const { y } = await runOp(runtime, geluOp, { inputs: { x }, attrs: { approximate } });
    const dy = { ...f32([LARGE.length]), values: LARGE.map(() => 1) };
    const { dx } = await runOp(runtime, geluBackwardOp, { inputs: { x, dy }, attrs: { approximate } });
    runtime.close();
    LARGE.forEach((value, i) => {
      expect(y![i]).toBeCloseTo(value > 1 ? Math.fround(value) : 0, 6);
      expect(dx![i]).toBeCloseTo(value > 1 ? 1 : value < -1 ? 0 : 0.5, 6);
    });
  });
});

// Values of mpmath with 40 digits.
test.each([
  [0.5, 0.5204998778130465, 0.4795001221869535],
  [1.4999, 0.9660932516622953, 0.03390674833770473],
  [1.5, 0.9661051464753108, 0.03389485352468927],
  [-3, -0.9999779095030014, 1.9999779095030015],
  [10, 1, 2.0884875837625446e-45],
])("erf and erfc of %d are good to float64", (x, wantedErf, wantedErfc) => {
  expect(Math.abs(erf(x) / wantedErf - 1)).toBeLessThan(1e-15);
  expect(Math.abs(erfc(x) / wantedErfc - 1)).toBeLessThan(1e-14);
});
