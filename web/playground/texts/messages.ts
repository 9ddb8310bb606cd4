/**
 * What the library says, in the page's language: it speaks English, and a dictionary knows its messages by their templates. A test
 * provokes them, so that no template is left that nothing says.
 */
import { fileName, flagName, SETTING_KEYS } from "../../../src/run/settings/table.ts";

/**
 * A message with `{}` where something of its own stands, and its translation, with `{1}`, `{2}` for them in their order; `{1!}` where
 * that is a message in its turn. All else may be somebody's words, and stays as it is.
 */
export type MessagePair = readonly [template: string, translation: string];

export interface Translator {
  /** Undefined for what nobody has translated. */
  translate(message: string): string | undefined;
}

const FLAGS: ReadonlyMap<string, string> = new Map([
  ...SETTING_KEYS.map((key) => [flagName(key), fileName(key)] as const),
  ["--batch-size", fileName("perDeviceTrainBatchSize")],
]);

/** Where a run's files are, which nobody can go to; what follows is within the run. */
const PRIVATE = /(?:browser storage\/playground|memory)\/\d{14}-[0-9a-f]{8}(?:\/|: )/g;

/** The name of a setting in a file, by that or by its flag. */
export function settingOf(name: string): string {
  return FLAGS.get(name) ?? name;
}

/** A page's settings have no flags: `--n-embd` is `n_embd` there, by which it is found; and its files are nowhere. */
export function onPage(message: string): string {
  return message.replace(PRIVATE, "").replace(/--[a-z0-9-]*[a-z0-9]/g, (flag) => FLAGS.get(flag) ?? flag);
}

/** What stands before a colon or a comma of its own: a file and perhaps a place in it, "settings", "train". */
const PREFIX = /^(.{1,200}?): (.*)$/s;

const MOST_KNOWN = 1000;

export function createTranslator(pairs: readonly MessagePair[], prefixes: readonly MessagePair[] = []): Translator {
  const known = pairs.map(compile);
  const places = prefixes.map(compile);

  function by(list: readonly Compiled[], message: string): Told | undefined {
    for (const { pattern, translation, words } of list) {
      const found = pattern.exec(message);
      if (!found) continue;
      const text = translation.replace(/\{(\d)(!?)\}/g, (_, n: string, message: string) => {
        const part = found[Number(n)] ?? "";
        return message ? (tell(part)?.text ?? part) : part;
      });
      return { text, words };
    }
    return undefined;
  }

  function tell(message: string): Told | undefined {
    const [, prefix = "", rest] = PREFIX.exec(message) ?? [];
    const place = by(places, prefix);
    // A place that is known as one belongs to no message.
    const whole = place === undefined ? by(known, message) : undefined;
    const part = rest === undefined ? undefined : tell(rest);
    // Of two that fit the one that knows more of it: "a.txt: is empty" is no thing called "a.txt:" that is something.
    if (whole && (!part || whole.words >= part.words)) return whole;
    return part && { text: `${place?.text ?? prefix}: ${part.text}`, words: part.words };
  }

  // The same ones are drawn again and again, beside a run that needs the CPU.
  const before = new Map<string, string | undefined>();
  return {
    translate(message) {
      if (before.size >= MOST_KNOWN) before.clear();
      if (!before.has(message)) before.set(message, tell(message)?.text);
      return before.get(message);
    },
  };
}

interface Told {
  readonly text: string;
  /** Characters of the template that stood in the message. */
  readonly words: number;
}

interface Compiled {
  readonly pattern: RegExp;
  readonly translation: string;
  readonly words: number;
}

function compile([template, translation]: MessagePair): Compiled {
  const parts = template.split("{}").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const words = template.replaceAll("{}", "").length;
  return { pattern: new RegExp(`^${parts.join("([\\s\\S]+?)")}$`), translation, words };
}
