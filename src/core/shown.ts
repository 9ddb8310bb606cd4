/** Of a text, characters that a message has. */
const MOST = 40;

/** What was got, as messages have it: a text in quotes, so that nobody takes "4" for 4. */
export function shown(value: unknown): string {
  if (typeof value === "string")
    return `the text ${JSON.stringify(value.length > MOST ? `${value.slice(0, MOST)}...` : value)}`;
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return value.length > 0 ? "a list" : "an empty list";
  if (value instanceof Promise) return "a promise, which was not awaited";
  if (typeof value === "bigint") return `the bigint ${value}`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
