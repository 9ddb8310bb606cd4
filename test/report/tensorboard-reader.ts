import { maskedCrc32c } from "../../src/report/crc32c.ts";

export interface ReadValue {
  tag: string;
  scalar?: number;
  plugin?: string;
  text?: string;
}

export interface ReadEvent {
  wallTime: number;
  step: number;
  version?: string;
  session?: number;
  values: ReadValue[];
}

/** Reads the records of an event file, checking their framing and both checksums of each. */
export function readEvents(file: Uint8Array): ReadEvent[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const events: ReadEvent[] = [];
  for (let at = 0; at < file.length; ) {
    if (view.getUint32(at + 8, true) !== maskedCrc32c(file.subarray(at, at + 8)))
      throw new Error("checksum of a length");
    const length = Number(view.getBigUint64(at, true));
    const data = file.subarray(at + 12, at + 12 + length);
    if (view.getUint32(at + 12 + length, true) !== maskedCrc32c(data)) throw new Error("checksum of data");
    events.push(readEvent(data));
    at += 16 + length;
  }
  return events;
}

type Field = readonly [field: number, value: number | Uint8Array];

function readEvent(message: Uint8Array): ReadEvent {
  const event: ReadEvent = { wallTime: 0, step: 0, values: [] };
  for (const [field, value] of fieldsOf(message)) {
    if (field === 1) event.wallTime = view(value).getFloat64(0, true);
    else if (field === 2) event.step = value as number;
    else if (field === 3) event.version = text(value);
    else if (field === 5)
      event.values = fieldsOf(value as Uint8Array).map(([, entry]) => readValue(entry as Uint8Array));
    else if (field === 7) event.session = only(value, 1) as number;
    else throw new Error(`Event has field ${field}`);
  }
  return event;
}

function readValue(message: Uint8Array): ReadValue {
  const value: ReadValue = { tag: "" };
  for (const [field, content] of fieldsOf(message)) {
    if (field === 1) value.tag = text(content);
    else if (field === 2) value.scalar = view(content).getFloat32(0, true);
    else if (field === 9) value.plugin = text(only(only(content, 1), 1));
    else if (field === 8) {
      const tensor = new Map(fieldsOf(content as Uint8Array));
      if (tensor.get(1) !== 7) throw new Error("the tensor is not of strings");
      if (only(only(tensor.get(2)!, 2), 1) !== 1) throw new Error("the tensor's shape is not [1]");
      value.text = text(tensor.get(8)!);
    } else throw new Error(`Summary.Value has field ${field}`);
  }
  return value;
}

/** The value of the one field that a message has. */
function only(message: number | Uint8Array, field: number): number | Uint8Array {
  const fields = fieldsOf(message as Uint8Array);
  if (fields.length !== 1 || fields[0]![0] !== field) throw new Error(`wanted field ${field} alone`);
  return fields[0]![1];
}

function fieldsOf(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const wire = tag & 7;
    if (wire === 0) {
      fields.push([tag >> 3, varint()]);
      continue;
    }
    const length = { 1: 8, 2: 0, 5: 4 }[wire];
    if (length === undefined) throw new Error(`wire type ${wire}`);
    const size = wire === 2 ? varint() : length;
    fields.push([tag >> 3, message.subarray(at, at + size)]);
    at += size;
  }
  if (at !== message.length) throw new Error("a field goes past the end");
  return fields;
}

function view(bytes: number | Uint8Array): DataView {
  const { buffer, byteOffset, length } = bytes as Uint8Array;
  return new DataView(buffer, byteOffset, length);
}

function text(bytes: number | Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes as Uint8Array);
}
