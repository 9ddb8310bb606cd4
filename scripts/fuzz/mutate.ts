/** Safetensors files, half of them generated and half mutated, each a function of (seed, case): a failure is repeated by naming both. */

import { generateHeader } from "./generate.ts";

const encoder = new TextEncoder();
const bytesOf = (text: string): Uint8Array => encoder.encode(text);

function fileOf(header: string, dataLength: number): Uint8Array {
  const json = bytesOf(header);
  const file = new Uint8Array(8 + json.length + dataLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  return file;
}

const tensor = (name: string, dtype: string, shape: string, begin: number, end: number): string =>
  `"${name}":{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

/** Files that keep every rule, as the reference and others write them. */
const VALID = [
  fileOf("{}", 0),
  fileOf('{"__metadata__":{"format":"pt"}}  ', 0),
  fileOf(`{${tensor("a", "F32", "[2]", 0, 8)}}`, 8),
  fileOf(`{${tensor("wte.weight", "F16", "[2,3]", 0, 12)},${tensor("b", "U8", "[3]", 12, 15)}}   `, 15),
  fileOf(`{"__metadata__":{"a":"\\u00e9\\n","b":""},${tensor("h.0.ln_1.bias", "BF16", "[1,1,2]", 0, 4)}}`, 4),
  fileOf(
    `{${tensor("z", "I64", "[]", 8, 16)},${tensor('é\\"', "F64", "[1]", 0, 8)},${tensor("e", "F32", "[0]", 8, 8)}}`,
    16,
  ),
  fileOf(
    `{ "a" : {"data_offsets":[ 0 ,1 ] ,"dtype": "BOOL","shape":[1]},\n${tensor("__proto__", "I8", "[1]", 1, 2)}}`,
    2,
  ),
  fileOf(`{${tensor("x", "F32", "[0,4294967296]", 0, 0)},${tensor("y", "I16", "[2]", 0, 4)}}`, 4),
];

/** What parsers stumble over, to put anywhere. */
const PIECES = [
  ...'{}[],:"\\ 0123456789-.eEntfu\t\n\r',
  ...['"a"', '""', "{}", "[]", "null", "true", "[[", "]]", "}}", '"a":', ",,", "00", "-1", "1.0", "1e3", "0x1", "NaN"],
  ...["9007199254740991", "9007199254740993", "18446744073709551615", "4294967296", "2147483648", "1e400"],
  ...['"dtype"', '"shape"', '"data_offsets"', '"__metadata__"', '"F32"', '"Q4"', '"toString"', '"__proto__"'],
  ...["\\u0061", "\\ud800", "\\udc00\\ud800", "\\ud83d\\ude00", "\\x", "\\u00", "\u00e9", "\ufeff", "\u2028"],
  ...[tensor("a", "F32", "[2]", 0, 8), tensor("n", "U8", "[0]", 0, 0), tensor("b", "U8", "[1]", 8, 9)],
].map(bytesOf);
const BYTES = Uint8Array.of(
  0,
  1,
  8,
  9,
  10,
  13,
  31,
  32,
  34,
  44,
  48,
  57,
  58,
  91,
  92,
  93,
  123,
  125,
  127,
  128,
  0xc0,
  0xe2,
  0xff,
);

/** The longest file that is made; what would be longer is cut. */
export const MOST_BYTES = 2048;

/** A maker of files in one buffer that is used again: a file holds until the next is made. */
export function createMutator(seed: number): (index: number) => Uint8Array {
  const buffer = new Uint8Array(MOST_BYTES);
  const view = new DataView(buffer.buffer);
  let length = 0;
  let a = 0;
  let b = 0;

  /** xorshift over 64 bits in two halves: fast, and good enough to choose with. */
  function random(below: number): number {
    const t = b ^ (b << 13);
    b = a;
    a = (a ^ (a >>> 17) ^ t ^ (t >>> 5)) | 0;
    return ((a + b) >>> 0) % below;
  }
  /** Puts `piece` in place of `removed` bytes from `at` on. */
  function splice(at: number, removed: number, piece: Uint8Array): void {
    const kept = Math.min(MOST_BYTES - piece.length - at, length - at - removed);
    if (kept < 0) return;
    buffer.copyWithin(at + piece.length, at + removed, at + removed + kept);
    buffer.set(piece, at);
    length = at + piece.length + kept;
  }
  /** The stretch of digits at or after `at`, if any, replaced by another number. */
  function renumber(at: number): void {
    while (at < length && !isDigit(buffer[at]!)) at++;
    let end = at;
    while (end < length && isDigit(buffer[end]!)) end++;
    if (end > at) splice(at, end - at, random(2) === 0 ? bytesOf(String(random(20))) : PIECES[random(PIECES.length)]!);
  }
  const isDigit = (byte: number): boolean => byte >= 48 && byte <= 57;

  function mutate(): void {
    const at = random(length + 1);
    const some = Math.min(random(random(8) === 0 ? 40 : 4), length - at);
    switch (random(8)) {
      case 0:
        if (at < length) buffer[at]! ^= 1 << random(8);
        break;
      case 1:
        if (at < length) buffer[at] = BYTES[random(BYTES.length)]!;
        break;
      case 2:
        splice(at, 0, PIECES[random(PIECES.length)]!);
        break;
      case 3:
        splice(at, some, PIECES[random(PIECES.length)]!);
        break;
      case 4:
        splice(at, some, new Uint8Array(0));
        break;
      case 5:
        renumber(at);
        break;
      case 6: {
        // A stretch of the file once more, or one of another file.
        const from = random(3) === 0 ? VALID[random(VALID.length)]! : buffer.subarray(0, length);
        const start = random(from.length + 1);
        splice(at, 0, from.slice(start, Math.min(from.length, start + random(60))));
        break;
      }
      default:
        if (at < length) buffer[at] = random(256);
    }
  }

  return (index) => {
    a = Math.imul(index + 1, 0x9e3779b1) ^ seed;
    b = Math.imul(seed ^ 0x85ebca6b, 0xc2b2ae35) + index;
    for (let i = 0; i < 4; i++) random(2);
    let dataLength: number;
    if (random(2) === 0) {
      const generated = generateHeader(random);
      const { written } = encoder.encodeInto(generated.header, buffer.subarray(8, MOST_BYTES - 256));
      dataLength = Math.min(generated.dataLength, 256);
      length = 8 + written + dataLength;
      buffer.fill(0, 8 + written, length);
      view.setBigUint64(0, BigInt(written), true);
      for (let n = random(8) === 0 ? 1 : 0; n > 0; n--) mutate();
    } else {
      const base = VALID[random(VALID.length)]!;
      buffer.set(base);
      length = base.length;
      dataLength = base.length - 8 - Number(new DataView(base.buffer).getBigUint64(0, true));
      for (let n = 1 + random(4); n > 0; n--) mutate();
    }
    // A length that fits lets the mutation reach what is behind it; in one case of eight it stays as it came.
    if (random(8) > 0) {
      if (random(8) === 0) dataLength = random(20);
      const header = length - 8 - dataLength;
      if (header >= 0) view.setBigUint64(0, BigInt(header), true);
    }
    return buffer.subarray(0, length);
  };
}
