import { expect, test } from "vitest";
import { describeDataChange } from "../../../src/run/data-change.ts";

const report = { records: 2100, tokens: 50000, longest: 40, cut: 0, learnt: 47900, digest: "a-b" };

test("data that changed since a run began is told of", () => {
  expect(describeDataChange({ ...report, records: 2000, tokens: 49000 }, report)).toBe(
    "the data is not what the run began with (2,000 records then, 2,100 now; 49,000 tokens then, 50,000 now): " +
      "it goes on, but not as one that never stopped",
  );
});

test("data of other contents is told of, though nothing else of it has changed", () => {
  expect(describeDataChange({ ...report, digest: "c-b" }, report)).toBe(
    "the data is not what the run began with (as many records and tokens, but others): " +
      "it goes on, but not as one that never stopped",
  );
});

test.each([[report], [{ ...report, digest: undefined }], [undefined], [null], [{}], [{ records: "many" }]])(
  "nothing is said of %j",
  (recorded) => {
    expect(describeDataChange(recorded, report)).toBe(undefined);
  },
);
