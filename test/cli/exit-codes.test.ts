import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { EXIT_CODES, EXIT_CODES_HELP, endOf } from "../../src/cli/exit-codes.ts";
import { Interrupted } from "../../src/cli/interrupt.ts";
import { DeviceLostError, NotFiniteError, UserError } from "../../src/core/errors.ts";
import { OutOfMemory } from "../../src/runtime/out-of-memory.ts";

test.each([
  [new CommanderError(0, "commander.helpDisplayed", "help"), 0],
  [new CommanderError(1, "commander.unknownOption", "unknown option"), 2],
  [new UserError("x.txt: does not exist"), 1],
  [new UserError("leave out one", { kind: "usage" }), 2],
  [new OutOfMemory("more than there is"), 3],
  [new RangeError("Array buffer allocation failed"), 3],
  [new NotFiniteError("h.0.ln_1.weight holds NaN"), 4],
  [new UserError("no adapter", { kind: "device" }), 5],
  [new DeviceLostError("the device was lost"), 5],
  [new Interrupted("SIGTERM"), 143],
])("%s ends with %i", (error, code) => {
  expect(endOf(error)?.code).toBe(code);
});

test("the rest is a bug, but for what breaks in a command that is stopped", () => {
  expect(endOf(new TypeError("x is undefined"))).toBeUndefined();
  expect(endOf(new TypeError("x is undefined"), new Interrupted("SIGINT"))).toEqual({
    code: 130,
    line: "stopped by SIGINT",
  });
  expect(new Set(Object.values(EXIT_CODES)).size).toBe(Object.keys(EXIT_CODES).length);
});

test("what --help says of them fits a window of 80 columns, as all of it does", () => {
  for (const line of EXIT_CODES_HELP.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
});
