import { Option } from "commander";
import { numberBetween } from "./numbers.ts";

/** Seconds. */
export const COLLECTIVE_TIMEOUT = 10;

export function collectiveTimeoutOption(): Option {
  return new Option(
    "--collective-timeout <s>",
    `of several ranks: seconds within which all end where one is not heard of any more; default ${COLLECTIVE_TIMEOUT}`,
  ).argParser(numberBetween(1, Number.POSITIVE_INFINITY));
}
