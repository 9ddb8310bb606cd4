/** What helps where a run cannot be as it is set up: settings that are taken with one press, out of what the library says. */
import type { SaidSettings } from "./protocol.ts";
import { settingOf } from "./texts/messages.ts";

export interface Remedy {
  readonly kind: "column" | "noValidation" | "asText" | "set" | "leaveOut";
  /** The column, or the settings as they would be typed. */
  readonly what: string;
  /** Undefined: said no more. */
  readonly settings: SaidSettings;
}

/** One text rather than a list, as far as its size tells. */
const LONG_BYTES = 4096;

/** `bytes`: of all data. */
export function remediesOf(refusal: string, bytes: number): readonly Remedy[] {
  if (/ holds records out, and there is one record only/.test(refusal)) {
    const without: Remedy = { kind: "noValidation", what: "", settings: { eval_split: 0 } };
    return bytes < LONG_BYTES ? [without] : [AS_TEXT, without];
  }
  const [, idle] = /^(?:.*: )?(--[\w-]+|\w+) is for tables and JSON lines/.exec(refusal) ?? [];
  if (idle !== undefined) {
    const name = settingOf(idle);
    return [{ kind: "leaveOut", what: name, settings: { [name]: undefined } }];
  }
  const [, columns] =
    /(?:got|: is one column by .*:) (.*); say which(?: is the text)?: --text-column/.exec(refusal) ?? [];
  if (columns !== undefined)
    return namesIn(columns).map((what) => ({ kind: "column", what, settings: { text_column: what } }));
  const [, less] = /; what (?:fits|takes less): (.*)$/.exec(refusal) ?? [];
  return less === undefined ? [] : less.split(", or ").map(setting);
}

/** Windows of a text, of which nothing is cut off. */
export const AS_TEXT: Remedy = { kind: "asText", what: "", settings: { stream: true } };

/** As JSON has them, those that were shortened left out. */
function namesIn(list: string): string[] {
  return Array.from(list.matchAll(/"(?:[^"\\]|\\.)*"/g), ([name]) => JSON.parse(name) as string);
}

/** Out of `--batch-size 4 --recompute (1.2 GiB)`. */
function setting(flags: string): Remedy {
  const settings = Object.fromEntries(
    Array.from(flags.matchAll(/(--[\w-]+)(?: (\d+))?/g), ([, flag = "", value]) => [
      settingOf(flag),
      value === undefined ? true : Number(value),
    ]),
  );
  const what = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  return { kind: "set", what: what.join(", "), settings };
}
