import { userError } from "../core/errors.ts";

/**
 * Whether `pattern` names this parameter: the whole of its name, or all of it up to a dot, `*` standing for any characters.
 * `wte` is `wte.weight`; `h.0` is the first block; `h.*.ln_1` and `*.bias` are what they look like.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  const escaped = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${escaped.join(".*")}(\\..*)?$`).test(name);
}

/** Throws `UserError` where a pattern names none of `names`; `option` opens the message. */
export function requireMatches(option: string, patterns: readonly string[], names: readonly string[]): void {
  const idle = patterns.find((pattern) => !names.some((name) => matchesPattern(pattern, name)));
  if (idle === undefined) return;
  const some = names.slice(0, 4).join(", ");
  userError(
    `${option}: "${idle}" names no parameter; wanted names like ${some}, or a part of one up to a dot, or with *`,
    "usage",
  );
}
