/** Files that people have their lists in, and that no reader of data reads: what to do with them is told before a byte of them is looked at. */
import { userError } from "../../../src/core/errors.ts";
import type { Input } from "../protocol.ts";

const FOREIGN: readonly (readonly [name: RegExp, what: string])[] = [
  [/\.(?:xlsx?|xlsm|ods|numbers)$/i, "is a spreadsheet; save it as CSV, and choose that file"],
  [/\.(?:docx?|odt|rtf|pages|pdf|pptx?|epub)$/i, "is no plain text; save it as such, or copy its text and paste it"],
];

export function refuseForeign(inputs: readonly Input[]): void {
  for (const { name } of inputs) {
    const found = FOREIGN.find(([pattern]) => pattern.test(name));
    if (found) userError(`${name}: ${found[1]}`);
  }
}
