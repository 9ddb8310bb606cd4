/** What was typed is no value of a setting; the message says what is. */
export class UnwantedValue extends Error {
  override name = "UnwantedValue";
}

/** How one setting is given: typed on the command line, or as a value in a JSON file. */
export interface Setting<T> {
  /** The section of `--help` that lists it. */
  readonly group: string;
  readonly help: string;
  /** What is typed after the flag, such as "<n>"; undefined for one that is on or off. */
  readonly placeholder: string | undefined;
  /** Other names, as in the JSON file: "batch_size". */
  readonly aliases: readonly string[];
  readonly default: T;
  /** What was typed; `before` is what an earlier use of the same flag gave. Throws `UnwantedValue` where it is not wanted. */
  parse(text: string, before: unknown): unknown;
  /** Whether a JSON value is one. */
  accepts(value: unknown): boolean;
  /** For messages: "a whole number, 1 or more". */
  readonly wanted: string;
}

export interface Described {
  readonly group: string;
  readonly help: string;
  readonly aliases?: readonly string[];
}

/** A number in [least, most]. */
export function number<T extends number | undefined>(
  given: Described & { least: number; most?: number; default: T },
): Setting<T extends undefined ? number | undefined : number> {
  const { least, most = Number.POSITIVE_INFINITY } = given;
  const wanted = most === Number.POSITIVE_INFINITY ? `a number, ${least} or more` : `a number from ${least} to ${most}`;
  const accepts = (value: unknown): boolean => typeof value === "number" && value >= least && value <= most;
  return { ...common(given, "<x>", wanted, accepts, readNumber), default: given.default as never };
}

/** A whole number, `least` or more; `besides` is for messages. */
export function whole<T extends number | undefined>(
  given: Described & { least: number; default: T; besides?: string },
): Setting<T extends undefined ? number | undefined : number> {
  const accepts = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= given.least;
  const wanted = `a whole number, ${given.least} or more${given.besides === undefined ? "" : `; ${given.besides}`}`;
  return { ...common(given, "<n>", wanted, accepts, readNumber), default: given.default as never };
}

export function choice<const T extends string, D extends T | undefined>(
  given: Described & { of: readonly T[]; default: D; placeholder?: string },
): Setting<D extends undefined ? T | undefined : T> {
  const wanted = `one of ${given.of.join(", ")}`;
  const accepts = (value: unknown): boolean => given.of.includes(value as T);
  return {
    ...common(given, given.placeholder ?? "<name>", wanted, accepts, (text) => text),
    help: `${given.help}: ${given.of.join(", ")}`,
    default: given.default as never,
  };
}

export function text(given: Described & { placeholder: string }): Setting<string | undefined> {
  const accepts = (value: unknown): boolean => typeof value === "string" && value !== "";
  return { ...common(given, given.placeholder, "some text", accepts, (typed) => typed), default: undefined };
}

/** Several texts: the flag with several words, or several times. */
export function texts(given: Described & { placeholder: string }): Setting<readonly string[] | undefined> {
  const each = (value: unknown): boolean => typeof value === "string";
  const accepts = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(each);
  return {
    ...common(given, `${given.placeholder.slice(0, -1)}...>`, "a list of texts", accepts, (typed) => typed),
    parse: (typed, before) => [...(Array.isArray(before) ? before : []), typed],
    default: undefined,
  };
}

export function flag(given: Described & { default: boolean }): Setting<boolean> {
  const accepts = (value: unknown): boolean => typeof value === "boolean";
  return {
    ...common(given, undefined, "true or false", accepts, (typed) => typed === "true"),
    default: given.default,
  };
}

function common(
  { group, help, aliases = [] }: Described,
  placeholder: string | undefined,
  wanted: string,
  accepts: (value: unknown) => boolean,
  read: (text: string) => unknown,
): Omit<Setting<never>, "default"> {
  const parse = (typed: string): unknown => {
    const value = read(typed);
    if (!accepts(value)) throw new UnwantedValue(`Wanted ${wanted}.`);
    return value;
  };
  return { group, help, placeholder, aliases, parse, accepts, wanted };
}

function readNumber(typed: string): unknown {
  return typed.trim() === "" ? undefined : Number(typed);
}
