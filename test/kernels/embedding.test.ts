import { describe } from "vitest";
import { bytesCase } from "../../src/kernels/byte-matrix.ts";
import { embeddingBackwardOp, embeddingOp, sortedOrder } from "../../src/kernels/embedding.ts";
import { f32, type OpCase } from "../../src/kernels/op.ts";
import { checkOp } from "../support/check.ts";

checkOp(embeddingBackwardOp);
checkOp(embeddingOp);

describe("a table in f16 out of words", () => {
  const halves = embeddingOp.cases.filter(({ inputs }) => inputs.table?.dtype === "f16");
  checkOp({ ...embeddingOp, cases: [] }, { gpuCases: halves, traits: { f16: false } });
});

describe("a table in 8 bits that two bindings have", () => {
  const { ids } = spread(150, 32, false).inputs;
  const { b: table, steps } = bytesCase(150, 32, 8);
  const gpuCases = [{}, { residual: f32([12, 32]) }].map((more) => ({ inputs: { ids: ids!, table, steps, ...more } }));
  checkOp({ ...embeddingOp, cases: [] }, { gpuCases, traits: { maxBindingBytes: 4096 } });
});

/** Twelve ids all over a table, some of them more than once, and first and last rows of it. */
function spread(rows: number, columns: number, residual: boolean): OpCase {
  const ids = Array.from({ length: 12 }, (_, n) => (n % 5 === 4 ? rows - 1 : Math.floor(((n % 7) * (rows - 1)) / 6)));
  const u32 = (values: ArrayLike<number>) => ({ dtype: "u32" as const, shape: [12], values: Array.from(values) });
  const more = residual ? { residual: f32([12, columns]) } : {};
  return { inputs: { ids: u32(ids), order: u32(sortedOrder(ids)), table: f32([rows, columns]), ...more } };
}

// Spans start at multiples of 256 bytes and of a row: of 16 rows of 4 columns, or of 64 rows of 13.
describe.each([
  [40, 4, 256],
  [150, 13, 3328],
])("a table of %d rows of %d in bindings of %d bytes", (rows, columns, maxBindingBytes) => {
  checkOp(
    { ...embeddingOp, cases: [] },
    {
      gpuCases: [spread(rows, columns, false), spread(rows, columns, true)],
      traits: { maxBindingBytes, maxGroupsPerDimension: 4 },
    },
  );
  const { ids, order } = spread(rows, columns, false).inputs;
  const added = { ids: ids!, order: order!, dy: f32([12, columns]), into: f32([rows, columns]) };
  checkOp(
    { ...embeddingBackwardOp, cases: [] },
    {
      gpuCases: [{ inputs: added, attrs: { rows } }],
      traits: { maxBindingBytes, maxGroupsPerDimension: 4 },
    },
  );
});
