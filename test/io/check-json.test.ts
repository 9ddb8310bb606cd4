import * as v from "valibot";
import { expect, test } from "vitest";
import { anyObject, checkJson, count, finite, time } from "../../src/io/check-json.ts";

const schema = v.strictObject({
  of: v.literal("this"),
  n: count,
  list: v.optional(v.array(v.object({ x: finite }))),
  when: v.optional(time),
  any: v.optional(anyObject),
});

test.each([
  [{ of: "this", n: 0, list: [{ x: 1.5 }], when: "2026-01-31T12:00:00.123Z", any: { a: [] } }, undefined],
  [null, [[], "wanted an object, got null"]],
  [[], [[], "wanted an object, got a list"]],
  [{ of: "this" }, [["n"], "is missing"]],
  [{ of: "that", n: 1 }, [["of"], 'wanted "this", got "that"']],
  [{ of: "this", n: -1 }, [["n"], "wanted 0 or more, got -1"]],
  [{ of: "this", n: 0.5 }, [["n"], "wanted a whole number, got 0.5"]],
  [{ of: "this", n: 1, list: [{ x: 1 }, { x: "1" }] }, [["list", "1", "x"], 'wanted number, got "1"']],
  [
    JSON.parse('{ "of": "this", "n": 1, "list": [{ "x": 1e999 }] }'),
    [["list", "0", "x"], "wanted a finite number, got Infinity"],
  ],
  [{ of: "this", n: 1, when: "today" }, [["when"], 'wanted a time such as 2026-01-31T12:00:00Z, got "today"']],
  [{ of: "this", n: 1, any: [] }, [["any"], "wanted an object, got Array"]],
  [{ of: "this", n: 1, more: 1 }, [["more"], "is not known"]],
])("%j", (value, problem) => {
  const checked = checkJson(schema, value);
  if (checked.success) expect(problem).toBeUndefined();
  else expect([checked.problem.path, checked.problem.message]).toEqual(problem);
});

test("a long text is cut", () => {
  const checked = checkJson(finite, "x".repeat(10_000));
  expect(checked).toMatchObject({ success: false });
  if (!checked.success) expect(checked.problem.message.length).toBeLessThan(200);
});
