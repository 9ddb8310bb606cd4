/** The pieces of JSON, read from bytes one after another: for a caller that knows what it wants and takes nothing else. */
import { userError } from "../core/errors.ts";
import { quote } from "./json.ts";

export const QUOTE = 0x22;
export const OPEN_ARRAY = 0x5b;
export const CLOSE_ARRAY = 0x5d;
export const OPEN = 0x7b;
export const CLOSE = 0x7d;
const [COMMA, COLON, BACKSLASH, ZERO] = [0x2c, 0x3a, 0x5c, 0x30] as const;

/** Shorter strings of plain ASCII are made without a decoder, whose call costs more than they do. */
const SHORT = 256;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export interface JsonReader {
  /** The next byte that is not white space, where reading goes on; undefined at the end. */
  next(): number | undefined;
  /** Calls `one` for each member between brackets, of which `close` is the second; reading stands on the first. */
  list(close: number, one: () => void): void;
  /** The name of an object's member; reading then stands on its value. */
  key(): string;
  string(): string;
  /** A whole number from 0 to 2^53 - 1, without a sign, a point or an exponent. */
  number(): number;
  /** The bytes where reading stands, for a message: on one line, and short. */
  here(): string;
  malformed(wanted: string): never;
}

/** `where` opens every message. Strings that are longer than `mostText` bytes together are refused. */
export function jsonReader(bytes: Uint8Array, where: string, mostText: number): JsonReader {
  let at = 0;
  let text = 0;

  const here = (): string => excerpt(bytes, at);
  const malformed = (wanted: string): never =>
    userError(`${where}: not valid JSON at byte ${at} of the header: got ${here()}; wanted ${wanted}`);

  function next(): number | undefined {
    for (; at < bytes.length; at++) if (!isSpace(bytes[at]!)) return bytes[at];
    return undefined;
  }
  function list(close: number, one: () => void): void {
    at++;
    let more = next() !== close;
    while (more) {
      one();
      const byte = next();
      if (byte !== COMMA && byte !== close) malformed(`"," or "${String.fromCharCode(close)}"`);
      more = byte === COMMA;
      if (more) at++;
      next();
    }
    at++;
  }
  function string(): string {
    if (next() !== QUOTE) malformed("a string");
    const start = ++at;
    let [ascii, escaped] = [true, false];
    for (; bytes[at] !== QUOTE; at++) {
      const byte = bytes[at];
      if (byte === undefined || byte < 0x20) return malformed("a string that ends");
      if (byte >= 0x80) ascii = false;
      if (byte !== BACKSLASH) continue;
      escaped = true;
      at++;
    }
    const raw = bytes.subarray(start, at++);
    text += raw.length;
    if (text > mostText) userError(`${where}: more than ${mostText} bytes of names and metadata`);
    const value = ascii && raw.length < SHORT ? String.fromCharCode(...raw) : decode(raw, where);
    return escaped ? withoutEscapes(value, where) : value;
  }
  function key(): string {
    const name = string();
    if (next() !== COLON) malformed('":"');
    at++;
    if (next() === undefined) malformed("a value");
    return name;
  }
  function number(): number {
    const start = at;
    let value = 0;
    for (; at < bytes.length; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9 || (at > start && bytes[start] === ZERO)) break;
      value = value * 10 + digit;
    }
    if (at === start || !endsNumber(bytes[at]) || !Number.isSafeInteger(value)) {
      at = start;
      userError(`${where}: number ${here()}; wanted whole numbers from 0 to 2^53 - 1`);
    }
    return value;
  }
  return { next, list, key, string, number, here, malformed };
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function endsNumber(byte: number | undefined): boolean {
  return byte === undefined || byte === COMMA || byte === CLOSE_ARRAY || byte === CLOSE || isSpace(byte);
}

function decode(bytes: Uint8Array, where: string): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    return userError(`${where}: header is not UTF-8`);
  }
}

/** Escapes as JSON has them; half a surrogate pair is no text. */
function withoutEscapes(raw: string, where: string): string {
  let value = "";
  try {
    value = JSON.parse(`"${raw}"`);
  } catch {
    userError(`${where}: not valid JSON: string ${quote(raw)}; wanted JSON's escapes`);
  }
  if (/\p{Surrogate}/u.test(value)) userError(`${where}: not valid JSON: ${quote(raw)} holds half a surrogate pair`);
  return value;
}

function excerpt(bytes: Uint8Array, at: number): string {
  if (at >= bytes.length) return "the end";
  const some = bytes.subarray(at, at + 24);
  const end = some.findIndex((byte) => byte <= 0x20 || byte === COMMA || byte === CLOSE_ARRAY || byte === CLOSE);
  const part = end > 0 ? some.subarray(0, end) : some;
  return Array.from(part, (byte) => (byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "?")).join("");
}
