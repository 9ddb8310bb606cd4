/** One change of one shader: `length` characters at `at` become `text`. */
export interface Mutation {
  readonly shader: string;
  readonly kind: string;
  readonly at: number;
  readonly length: number;
  readonly text: string;
}

const COMPARISONS: Readonly<Record<string, string>> = {
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "==": "!=",
  "!=": "==",
};
const OPERATORS: Readonly<Record<string, string>> = { "+": "-", "-": "+", "*": "/", "/": "*", "%": "/" };
const LOGIC: Readonly<Record<string, string>> = { "&&": "||", "||": "&&" };
/** Calls whose arguments may change places without a difference. */
const SYMMETRIC = new Set(["min", "max", "dot", "pack_dot"]);

/** Every place where one of the operators applies; what they give need not compile. */
export function mutationsOf(shader: string, source: string): Mutation[] {
  const code = withoutComments(source);
  const found: Mutation[] = [];
  const add = (kind: string, at: number, length: number, text: string): void => {
    if (source.slice(at, at + length) !== text) found.push({ shader, kind, at, length, text });
  };
  each(code, / (<=|>=|==|!=|<|>) /g, (at, [, sign]) => add("comparison", at + 1, sign!.length, COMPARISONS[sign!]!));
  each(code, / ([-+*/%]) /g, (at, [, sign]) => {
    add("operator", at + 1, 1, OPERATORS[sign!]!);
    const end = operandEnd(code, at + 3);
    if (sign !== "%" && end > at + 3) add("term dropped", at, end - at, "");
  });
  each(code, / (&&|\|\|) /g, (at, [, sign]) => add("logic", at + 1, 2, LOGIC[sign!]!));
  // not the step of a loop, which would never end
  each(code, /(?<!; \w+) ([-+*])= /g, (at) => add("accumulation", at + 1, 2, "="));
  each(code, /(?<![\w.])(\d+)u\b/g, (at, [all, digits]) => add("constant", at, all.length, `${Number(digits) + 1}u`));
  each(code, /(?<![\w.])(\d+\.\d*(?:e-?\d+)?)(?![\w.])/g, (at, [all]) =>
    add("constant", at, all.length, Number(all) === 0 ? "1.0" : `${floatText(Number(all) * 1.1)}`),
  );
  each(code, /\b(workgroupBarrier|storageBarrier)\(\);/g, (at, [all]) => add("barrier", at, all.length, ""));
  each(
    code,
    /(?<=[;{]\s*)(?<![\w.])[\w.[\](),+*/ -]+? [-+*]?= [^;{}]*;|(?<=[;{]\s*)\b\w+\([^;{}]*\);/g,
    (at, [all]) => {
      const statement = all.trimStart();
      if (!/^(let|var|const|override|return|for|if|alias)\b|Barrier\(/.test(statement))
        add("statement dropped", at + all.length - statement.length, statement.length, "");
    },
  );
  each(code, /\bif \((?=.*\{\s*(?:\/\/.*\n\s*)?(?:return|continue|break)\b)/g, (at, [all]) => {
    const end = closing(code, at + all.length - 1);
    add("guard dropped", at + all.length, end - at - all.length, "false");
  });
  each(code, /\b(min|max)\(/g, (at, [, name]) => add("bound", at, 3, name === "min" ? "max" : "min"));
  each(code, /\b(\w+)\(/g, (at, [all, name]) => {
    const args = argumentsOf(code, at + all.length - 1);
    if (SYMMETRIC.has(name!) || args.length < 2 || /\bfn $/.test(code.slice(Math.max(0, at - 3), at))) return;
    for (let i = 0; i + 1 < args.length; i++) {
      const [one, two] = [args[i]!, args[i + 1]!];
      const [a, b] = [code.slice(one.start, one.end), code.slice(two.start, two.end)];
      add("arguments swapped", one.start, two.end - one.start, `${b}${code.slice(one.end, two.start)}${a}`);
    }
  });
  each(code, /\[/g, (at) => {
    const end = closing(code, at);
    const inside = code.slice(at + 1, end);
    const names = [...inside.matchAll(/(?<![\w.])[A-Za-z_]\w*(?:\.\w+)?(?![\w(])/g)];
    for (let i = 0; i + 1 < names.length; i++) {
      const [a, b] = [names[i]!, names[i + 1]!];
      const between = inside.slice(a.index + a[0].length, b.index);
      const commutes = between === " * " || (between === " + " && !/[*/%]/.test(inside));
      if (a[0] === b[0] || commutes) continue;
      const length = b.index + b[0].length - a.index;
      add("index swapped", at + 1 + a.index, length, `${b[0]}${between}${a[0]}`);
    }
    if (/[a-z]/.test(inside) && !inside.includes("[")) add("index off by one", at + 1, inside.length, `${inside} + 1u`);
  });
  each(code, /(?<=[\w\])])\.([xyzw])\b(?!\w)/g, (at, [, part]) =>
    add("component", at + 1, 1, "yzwx"["xyzw".indexOf(part!)]!),
  );
  return found;
}

/** The text of the shader with the change made. */
export function mutated(source: string, { at, length, text }: Mutation): string {
  return source.slice(0, at) + text + source.slice(at + length);
}

/** The changed lines, without indentation: what names a mutant wherever in the file it is. */
export function linesOf(source: string, mutation: Mutation): { line: number; before: string; after: string } {
  const start = source.lastIndexOf("\n", mutation.at - 1) + 1;
  const found = source.indexOf("\n", mutation.at + mutation.length);
  const end = found < 0 ? source.length : found;
  const after = mutated(source, mutation).slice(start, end - mutation.length + mutation.text.length);
  return {
    line: source.slice(0, start).split("\n").length,
    before: source.slice(start, end).trim(),
    after: after.trim(),
  };
}

/** The source with comments blanked out, so that places in it are places in the source. */
function withoutComments(source: string): string {
  return source.replace(/\/\/.*/g, (comment) => " ".repeat(comment.length));
}

function each(code: string, pattern: RegExp, visit: (at: number, match: RegExpMatchArray) => void): void {
  for (const match of code.matchAll(pattern)) visit(match.index, match);
}

function floatText(value: number): string {
  const text = value.toPrecision(9);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** Where the bracket that opens at `open` closes. */
function closing(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    if ("([{".includes(code[i]!)) depth++;
    else if (")]}".includes(code[i]!) && --depth === 0) return i;
  }
  return code.length;
}

/** Where an operand that starts at `start` ends: at the next operator, comma or bracket of its own depth. */
function operandEnd(code: string, start: number): number {
  for (let i = start; i < code.length; i++) {
    if ("([".includes(code[i]!)) i = closing(code, i);
    else if (" ,;)]}\n".includes(code[i]!)) return i;
  }
  return code.length;
}

function argumentsOf(code: string, open: number): { start: number; end: number }[] {
  const end = closing(code, open);
  const args: { start: number; end: number }[] = [];
  let start = open + 1;
  for (let i = open + 1; i <= end; i++) {
    if (i < end && "([{".includes(code[i]!)) i = closing(code, i);
    else if (i === end || code[i] === ",") {
      const text = code.slice(start, i);
      const lead = text.length - text.trimStart().length;
      if (text.trim()) args.push({ start: start + lead, end: start + text.trimEnd().length });
      start = i + 1;
    }
  }
  return args;
}
