import { userError } from "../core/errors.ts";

/** Deeper than any file here nests, and shallow enough that no parser overflows its stack. */
const MAX_DEPTH = 64;

/** A string, a punctuation mark, or a number / true / false / null. */
const TOKEN = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/**
 * JSON in which no object holds a key twice and every number is a plain non-negative whole number: `JSON.parse` takes the
 * last of two equal keys and rounds large numbers, so that two readers of one file could see different tensors.
 * `where` opens the message of the `UserError` that anything else throws.
 */
export function parseStrictJson(text: string, where: string): unknown {
  rejectDeepNesting(text, where);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return userError(`${where}: not valid JSON (${shortReason(error)})`);
  }
  rejectDuplicatesAndOddNumbers(text, where);
  return value;
}

/** A name out of a file, quoted, on one line and short: it may hold anything. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name);
}

function rejectDeepNesting(text: string, where: string): void {
  let depth = 0;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") depth++;
    if (token === "}" || token === "]") depth--;
    if (depth > MAX_DEPTH) userError(`${where}: JSON nested more than ${MAX_DEPTH} deep; wanted a flat object`);
  }
}

/** `text` is known to be valid JSON, so a string is a key exactly when it follows "{" or a "," inside an object. */
function rejectDuplicatesAndOddNumbers(text: string, where: string): void {
  const open: (Set<string> | "array")[] = [];
  let previous = "";
  for (const [token] of text.matchAll(TOKEN)) {
    const inside = open.at(-1);
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push("array");
    else if (token === "}" || token === "]") open.pop();
    else if (token.startsWith('"') && inside instanceof Set && (previous === "{" || previous === ",")) {
      const key: string = JSON.parse(token);
      if (inside.has(key)) userError(`${where}: key ${quote(key)} appears twice in one object; wanted each key once`);
      inside.add(key);
    } else if (/^-?\d/.test(token) && !(/^\d+$/.test(token) && Number.isSafeInteger(Number(token)))) {
      userError(`${where}: number ${token.slice(0, 40)}; wanted whole numbers from 0 to 2^53 - 1`);
    }
    previous = token;
  }
}

function shortReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return JSON.stringify(message.slice(0, 80)).slice(1, -1);
}
