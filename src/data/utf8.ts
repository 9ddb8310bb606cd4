import { userError } from "../core/errors.ts";
import { shellPath } from "../core/shell.ts";
import type { ByteSource } from "./source.ts";

const [LF, CR, NUL] = [0x0a, 0x0d, 0];

/**
 * The text of a file, some at a time, without a byte-order mark at its start. Throws `UserError` with the line and the byte
 * where it is not UTF-8, or is no text at all.
 */
export async function* decodeText(source: ByteSource): AsyncGenerator<string> {
  let held = new Uint8Array(0);
  /** Where in the file `held` starts. */
  let at = 0;
  for await (const piece of source.pieces()) {
    let bytes = joined(held, piece);
    if (at === 0) {
      refuseForeign(bytes, source.name);
      const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
      if (marked) {
        bytes = bytes.subarray(3);
        at = 3;
      }
    }
    const whole = wholeCharacters(bytes);
    yield await decode(source, bytes.subarray(0, whole), at);
    at += whole;
    // A copy, which slice would not be of Node's Buffer.
    held = new Uint8Array(bytes.subarray(whole));
  }
  if (held.length > 0) await notUtf8(source, held, at);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

async function decode(source: ByteSource, bytes: Uint8Array, at: number): Promise<string> {
  const nul = bytes.indexOf(NUL);
  if (nul >= 0) {
    const order = byteOrder(bytes);
    if (order) userError(`${source.name}: is UTF-16; convert it: ${converted(source.name, `UTF-16${order}`)}`);
    const line = await lineOf(source, at + nul);
    return userError(
      `${source.name}, line ${line}: byte ${at + nul} is NUL; is it a binary file? wanted UTF-8 text, or say its format: --data-format, --prompt-format`,
    );
  }
  try {
    return DECODER.decode(bytes);
  } catch {
    return notUtf8(source, bytes, at);
  }
}

/** Bytes up to the last character that is whole: at most three of a character that the next piece goes on with stay. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) break;
    if (byte >= 0xc0) return sizeOf(byte) > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** Bytes of the character that `lead` begins; 0 if it begins none. */
function sizeOf(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/** Where the first byte is that begins no well-formed character (The Unicode Standard, table 3-7). */
export function firstNotUtf8(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes[at]!;
    const size = sizeOf(lead);
    if (size === 0 || at + size > bytes.length) return at;
    for (let i = 1; i < size; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return at;
    const second = bytes[at + 1]!;
    const overlong = (lead === 0xe0 && second < 0xa0) || (lead === 0xf0 && second < 0x90);
    if (overlong || (lead === 0xed && second > 0x9f) || (lead === 0xf4 && second > 0x8f)) return at;
    at += size;
  }
  return at;
}

async function notUtf8(source: ByteSource, bytes: Uint8Array, at: number): Promise<never> {
  const place = firstNotUtf8(bytes);
  const line = await lineOf(source, at + place);
  const byte = bytes[place]!.toString(16).toUpperCase().padStart(2, "0");
  return userError(
    `${source.name}, line ${line}: byte ${at + place} (0x${byte}) is not UTF-8; convert the file, for example: ${converted(source.name, "LATIN1")}`,
  );
}

/** The line of the byte at `offset`, counted from 1: reads the file again, since counting while reading would cost all the others. */
async function lineOf(source: ByteSource, offset: number): Promise<number> {
  let [line, at, previous] = [1, 0, 0];
  for await (const piece of source.pieces()) {
    for (let i = 0; i < piece.length && at + i < offset; i++) {
      const byte = piece[i]!;
      if (byte === CR || (byte === LF && previous !== CR)) line++;
      previous = byte;
    }
    at += piece.length;
    if (at >= offset) break;
  }
  return line;
}

/** Another file that is as `name` is in UTF-8. */
function converted(name: string, from: string): string {
  const into = name.replace(/(\.[^./\\]*)?$/, (extension) => `.utf8${extension}`);
  return `iconv -f ${from} -t UTF-8 ${shellPath(name)} > ${shellPath(into)}`;
}

/** Which byte of UTF-16 comes first where every second byte of the beginning is NUL: a Western text, without a byte-order mark. */
function byteOrder(bytes: Uint8Array): "LE" | "BE" | undefined {
  const looked = bytes.subarray(0, 1024);
  if (looked.length < 8) return undefined;
  const share = (parity: number): number =>
    looked.reduce((sum, byte, i) => sum + (i % 2 === parity && byte === NUL ? 1 : 0), 0) / (looked.length / 2);
  if (share(1) > 0.9) return "LE";
  return share(0) > 0.9 ? "BE" : undefined;
}

const UTF16 = (name: string): string => `is UTF-16; convert it: ${converted(name, "UTF-16")}`;

/** First bytes of files that are no text, and what to do with them. */
const SIGNATURES: readonly (readonly [bytes: readonly number[], what: string | ((name: string) => string)])[] = [
  [[0xff, 0xfe], UTF16],
  [[0xfe, 0xff], UTF16],
  [[0x1f, 0x8b], "is compressed by gzip; unpack it: gunzip"],
  [[0x28, 0xb5, 0x2f, 0xfd], "is compressed by zstd; unpack it: unzstd"],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], "is compressed by xz; unpack it: unxz"],
  [[0x50, 0x4b, 0x03, 0x04], "is a zip file; unpack it, or, of a document or a table, save it as text or CSV"],
  [[0x50, 0x41, 0x52, 0x31], "is a Parquet file; name it .parquet or say --data-format parquet"],
  [[0x25, 0x50, 0x44, 0x46, 0x2d], (name) => `is a PDF; take the text out of it: pdftotext ${shellPath(name)}`],
  [[0xd0, 0xcf, 0x11, 0xe0], "is an old Office file; save it as text or CSV"],
];

function refuseForeign(bytes: Uint8Array, name: string): void {
  const [, what] = SIGNATURES.find(([signature]) => signature.every((byte, i) => bytes[i] === byte)) ?? [];
  if (what !== undefined) userError(`${name}: ${typeof what === "string" ? what : what(name)}`);
}
