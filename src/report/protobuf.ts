/** As much of the wire format of protocol buffers as event files need: each function gives one field's bytes. */

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

/** A whole number, 0 or more: int32, int64 and enum. */
export function integerField(field: number, value: number): Uint8Array {
  return join(tag(field, VARINT), varint(value));
}

export function doubleField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return join(tag(field, FIXED64), bytes);
}

export function floatField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return join(tag(field, FIXED32), bytes);
}

/** Text as UTF-8, bytes as they are, and a message as its fields. */
export function lengthField(field: number, value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return join(tag(field, LENGTH), varint(bytes.length), bytes);
}

export function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return joinAll(parts);
}

/** As `join`, of any number: as arguments, some 100,000 overflow the stack. */
export function joinAll(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function tag(field: number, wire: number): Uint8Array {
  return varint(field * 8 + wire);
}

function varint(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`varint: ${value} is no whole number, 0 or more`);
  const bytes: number[] = [];
  // Division, since shifts cut numbers to 32 bits.
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}
