/**
 * What the library says, in the page's language: it speaks English, and a dictionary knows its messages by their templates. A test
 * provokes them, so that no template is left that nothing says.
 */

/** A message with `{}` where something of its own stands, and its translation, with `{1}`, `{2}` for them in their order. */
export type MessagePair = readonly [template: string, translation: string];

export interface Translator {
  /** Undefined for what nobody has translated. */
  translate(message: string): string | undefined;
}

/** What stands before a colon or a comma of its own: a file and perhaps a place in it, "settings", "train". */
const PREFIX = /^(.{1,200}?): (.*)$/s;

export function createTranslator(pairs: readonly MessagePair[], prefixes: readonly MessagePair[] = []): Translator {
  const known = pairs.map(compile);
  const places = prefixes.map(compile);

  function by(list: readonly Compiled[], message: string): string | undefined {
    for (const { pattern, translation } of list) {
      const found = pattern.exec(message);
      if (found) return translation.replace(/\{(\d)\}/g, (_, n: string) => inner(found[Number(n)] ?? ""));
    }
    return undefined;
  }

  /** Something of its own may be a message, too. */
  function inner(part: string): string {
    return by(known, part) ?? part;
  }

  function translate(message: string): string | undefined {
    const whole = by(known, message);
    if (whole !== undefined) return whole;
    const [, prefix = "", rest] = PREFIX.exec(message) ?? [];
    const told = rest === undefined ? undefined : translate(rest);
    return told === undefined ? undefined : `${by(places, prefix) ?? prefix}: ${told}`;
  }

  return { translate };
}

interface Compiled {
  readonly pattern: RegExp;
  readonly translation: string;
}

function compile([template, translation]: MessagePair): Compiled {
  const parts = template.split("{}").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return { pattern: new RegExp(`^${parts.join("([\\s\\S]+?)")}$`), translation };
}
