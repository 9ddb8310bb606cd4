import { CALLS, DIVISIONS, FLUSHES } from "./library.ts";

/** Text put in place of `length` characters at `at`. */
export interface Edit {
  readonly at: number;
  readonly length: number;
  readonly text: string;
}

/** A place that may be rewritten, and the ways to do it: the first that has the right types is taken. */
export interface Site {
  readonly at: number;
  readonly ways: readonly (readonly Edit[])[];
}

/** The places inside functions where WGSL leaves the result open. Which of the ways types allow, only a compiler knows. */
export function sitesOf(source: string): Site[] {
  const code = withoutComments(source);
  const inside = insideFunctions(code);
  const sites: Site[] = [];
  // outermost first: where edits meet, the earlier site's text goes outside
  for (const { index, 0: all } of code.matchAll(/(?<![=!<>])[-+*]?= (?!=)|\breturn (?=[^;])/g)) {
    if (!inside[index]) continue;
    const [start, end] = [index + all.length, expressionEnd(code, index + all.length)];
    sites.push({ at: index, ways: FLUSHES.map((name) => wrap(name, start, end)) });
  }
  const divisions = [...code.matchAll(/ \/ /g)].filter(({ index }) => inside[index]).reverse();
  for (const { index } of divisions) {
    const [start, end] = [operandStart(code, index), operandEnd(code, index + 3)];
    sites.push({
      at: index,
      ways: DIVISIONS.map((name) => [
        { at: start, length: 0, text: `${name}(` },
        { at: index, length: 3, text: ", " },
        { at: end, length: 0, text: ")" },
      ]),
    });
  }
  for (const name of CALLS) {
    for (const { index } of code.matchAll(new RegExp(`(?<![\\w.])${name}(?=\\()`, "g"))) {
      if (!inside[index]) continue;
      const edit = (suffix: string) => [{ at: index, length: name.length, text: `adv_${name}${suffix}` }];
      sites.push({ at: index, ways: [edit(""), edit("_4")] });
    }
  }
  // WGSL may assume that there is no NaN
  for (const [pattern, text] of [
    [/(?<![\w.])([\w.]+) != \1(?![\w.[(])/g, "false"],
    [/(?<![\w.])([\w.]+) == \1(?![\w.[(])/g, "true"],
  ] as const)
    for (const { index, 0: all } of code.matchAll(pattern))
      sites.push({ at: index, ways: [[{ at: index, length: all.length, text }]] });
  return sites;
}

/** The source with comments blanked out, so that places in it are places in the source. */
export function withoutComments(source: string): string {
  return source.replace(/\/\/.*/g, (comment) => " ".repeat(comment.length));
}

/** The source with all edits made; edits at one place nest by the order of their sites. */
export function applyEdits(source: string, edits: readonly Edit[]): string {
  // an opening text of an earlier site goes before, a closing one behind, that of a later site
  const opening = edits.filter(({ text }) => text !== ")");
  const closing = edits.filter(({ text }) => text === ")").reverse();
  const sorted = [...closing, ...opening].sort((a, b) => a.at - b.at);
  let result = "";
  let at = 0;
  for (const edit of sorted) {
    result += source.slice(at, edit.at) + edit.text;
    at = edit.at + edit.length;
  }
  return result + source.slice(at);
}

function wrap(name: string, start: number, end: number): Edit[] {
  return [
    { at: start, length: 0, text: `${name}(` },
    { at: end, length: 0, text: ")" },
  ];
}

/** Where functions begin, where their braces open, and where they end. */
export function functionsOf(code: string): { start: number; open: number; end: number }[] {
  return [...code.matchAll(/\bfn \w+\(/g)].map(({ index }) => {
    const open = code.indexOf("{", closing(code, code.indexOf("(", index)));
    return { start: index, open, end: closing(code, open) };
  });
}

/**
 * The source with places as they are, in which functions but the one around `at` do nothing, and comments are blank: the compiler has less
 * to read.
 */
export function bodyless(source: string, at: number): string {
  const code = withoutComments(source);
  let [result, from] = ["", 0];
  for (const { start, open, end } of functionsOf(code)) {
    const type = /-> *(.*?) *$/.exec(code.slice(start, open))?.[1];
    const body = type === undefined ? "{" : `{ return ${type}();`;
    if ((start < at && at < end) || open + body.length > end) continue;
    result += code.slice(from, open) + body.padEnd(end - open);
    from = end;
  }
  return result + code.slice(from);
}

/** For each character, whether it is inside the braces of a function. */
function insideFunctions(code: string): boolean[] {
  const inside: boolean[] = new Array(code.length).fill(false);
  for (const { open, end } of functionsOf(code)) inside.fill(true, open, end);
  return inside;
}

function closing(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    if ("([{".includes(code[i]!)) depth++;
    else if (")]}".includes(code[i]!) && --depth === 0) return i;
  }
  return code.length;
}

function opening(code: string, close: number): number {
  let depth = 0;
  for (let i = close; i >= 0; i--) {
    if (")]}".includes(code[i]!)) depth++;
    else if ("([{".includes(code[i]!) && --depth === 0) return i;
  }
  return 0;
}

/** The end of a right-hand side: its semicolon, or the bracket that closes around it. */
function expressionEnd(code: string, start: number): number {
  for (let i = start; i < code.length; i++) {
    if ("([{".includes(code[i]!)) i = closing(code, i);
    else if (";)]}".includes(code[i]!)) return i;
  }
  return code.length;
}

/** The end of one factor that starts at `start`. */
function operandEnd(code: string, start: number): number {
  for (let i = start; i < code.length; i++) {
    if ("([".includes(code[i]!)) i = closing(code, i);
    else if (!/[\w.\-~!&]/.test(code[i]!)) return i;
  }
  return code.length;
}

/** The start of the product or quotient that ends at `end`: a / b / c is (a / b) / c. */
function operandStart(code: string, end: number): number {
  let i = end;
  for (;;) {
    while (i > 0 && /[\w.)\]]/.test(code[i - 1]!)) i = ")]".includes(code[i - 1]!) ? opening(code, i - 1) : i - 1;
    if (/(?:^|[(,=+\-*/%] ?|return )[-]$/.test(code.slice(Math.max(0, i - 10), i))) i--;
    if (!/[^ ] [*/%] $/.test(code.slice(Math.max(0, i - 4), i))) return i;
    i -= 3;
  }
}
