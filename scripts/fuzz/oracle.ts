/**
 * The rules of safetensors a second time, for the fuzzer alone: as plainly as they can be put, with JSON.parse, BigInt and a
 * regular expression, and without a line of what they judge.
 */

const WIDTH: Readonly<Record<string, bigint>> = {
  ...{ BOOL: 1n, U8: 1n, I8: 1n, F8_E5M2: 1n, F8_E4M3: 1n, I16: 2n, U16: 2n, F16: 2n, BF16: 2n },
  ...{ I32: 4n, U32: 4n, F32: 4n, F64: 8n, I64: 8n, U64: 8n },
};
const TOKEN = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/** The rule that `file` breaks; undefined if none. */
export function brokenRule(file: Uint8Array): string | undefined {
  if (file.length < 8) return "no header length";
  const length = new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true);
  if (length > 100_000_000n) return "header too long";
  if (8n + length > BigInt(file.length)) return "header past the end";
  const dataStart = 8 + Number(length);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(file.subarray(8, dataStart));
  } catch {
    return "not UTF-8";
  }
  if (!text.startsWith("{")) return "does not begin with {";
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch {
    return "not JSON";
  }
  return oddToken(text) ?? brokenEntries(header as Record<string, unknown>, BigInt(file.length - dataStart));
}

/** A key that is twice in its object, or a number that is not written as a whole one. `text` is valid JSON. */
function oddToken(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let previous = "";
  for (const [token] of text.matchAll(TOKEN)) {
    const inside = open.at(-1);
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (token.startsWith('"') && inside && (previous === "{" || previous === ",")) {
      const key: string = JSON.parse(token);
      if (inside.has(key)) return "a key twice";
      inside.add(key);
    } else if (/^-?\d/.test(token) && !/^\d+$/.test(token)) return "a number that is not whole";
    previous = token;
  }
  return undefined;
}

function brokenEntries(header: Record<string, unknown>, dataLength: bigint): string | undefined {
  const spans: (readonly [bigint, bigint])[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return "an entry that is no object";
    if (name === "__metadata__") {
      if (Object.values(entry).some((value) => typeof value !== "string")) return "metadata that is no string";
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>;
    const width = typeof dtype === "string" && Object.hasOwn(WIDTH, dtype) ? WIDTH[dtype] : undefined;
    if (width === undefined) return "an unknown dtype";
    if (!isNumbers(shape) || !isNumbers(offsets) || offsets.length !== 2) return "no shape or offsets";
    const bytes = shape.reduce((product, dimension) => product * BigInt(dimension), width);
    const [begin, end] = [BigInt(offsets[0]!), BigInt(offsets[1]!)];
    if (end - begin !== bytes) return "offsets that are not the shape's";
    spans.push([begin, end]);
  }
  spans.sort(([a, b], [c, d]) => (a === c ? Number(b - d) : Number(a - c)));
  let covered = 0n;
  for (const [begin, end] of spans) {
    if (begin !== covered) return "a gap or an overlap";
    covered = end;
  }
  return covered === dataLength ? undefined : "data that no tensor covers";
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}
