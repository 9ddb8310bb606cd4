import { InvalidArgumentError } from "commander";

export { byteSize, counted, decimals, duration, grouped, rate } from "../core/units.ts";

/** Option parsers: each takes what was typed and gives a checked number. */

export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`Wanted a whole number, ${least} or more.`);
    }
    return value;
  };
}

export function numberBetween(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= least && value <= most)) {
      throw new InvalidArgumentError(
        most === Number.POSITIVE_INFINITY
          ? `Wanted a number, ${least} or more.`
          : `Wanted a number from ${least} to ${most}.`,
      );
    }
    return value;
  };
}
