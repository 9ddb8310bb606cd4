/**
 * The JSON of a safetensors header, read byte by byte for exactly the shape that it must have. A general JSON parser takes
 * the last of two equal keys, rounds large numbers, and builds whatever is nested in a header of up to 100 MB; here the
 * first byte that does not fit ends it, so that time is linear and memory bounded whatever a file says.
 */
import { userError } from "../core/errors.ts";
import { quote } from "./json.ts";
import { CLOSE, CLOSE_ARRAY, type JsonReader, jsonReader, OPEN, OPEN_ARRAY, QUOTE } from "./json-bytes.ts";

/** One entry as it stands, its rules not yet checked against the others. */
export interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes from the start of the data. */
  readonly begin: number;
  readonly end: number;
}

export interface HeaderJson {
  readonly entries: Map<string, HeaderEntry>;
  readonly metadata: Map<string, string>;
}

/**
 * The most that is taken from one header, though the format allows more, so that no file makes this use memory beyond
 * its own size + 64 MiB. GPT-2 XL has 580 tensors of rank 1 and 2, and 40 kB of names.
 */
export const HEADER_LIMITS = { members: 50_000, rank: 8, textBytes: 4 * 2 ** 20 } as const;

const METADATA = "__metadata__";
const COUNTS = "whole numbers, 0 or more";
const OFFSETS = "[begin, end]";

/** `where` opens the message of the `UserError` that anything else than a header throws. */
export function parseHeaderJson(bytes: Uint8Array, where: string): HeaderJson {
  if (bytes[0] !== OPEN) userError(`${where}: header does not begin with "{"`);
  const reader = jsonReader(bytes, where, HEADER_LIMITS.textBytes);
  const entries = new Map<string, HeaderEntry>();
  let metadata: Map<string, string> | undefined;
  reader.list(CLOSE, () => {
    const name = reader.key();
    if (entries.has(name) || (name === METADATA && metadata)) twice(name, where);
    checkCount(entries.size, where);
    if (name === METADATA) metadata = readStrings(reader, where);
    else entries.set(name, readEntry(reader, name, where));
  });
  if (reader.next() !== undefined) reader.malformed("the end");
  return { entries, metadata: metadata ?? new Map() };
}

function readEntry(reader: JsonReader, name: string, where: string): HeaderEntry {
  const wrong = (what: string): never => userError(`${where}: tensor ${quote(name)}: ${what}`);
  if (name === "") wrong("the name is empty");
  if (reader.next() !== OPEN) wrong(`got ${reader.here()}; wanted {dtype, shape, data_offsets}`);
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  reader.list(CLOSE, () => {
    const field = reader.key();
    if (field === "dtype") {
      if (dtype !== undefined) twice(field, where);
      if (reader.next() !== QUOTE) wrong(`dtype ${reader.here()}; wanted a string`);
      dtype = reader.string();
    } else if (field === "shape") {
      if (shape !== undefined) twice(field, where);
      shape = readNumbers(reader, HEADER_LIMITS.rank, (got) => wrong(`shape ${got}; wanted ${COUNTS}`));
    } else if (field === "data_offsets") {
      if (offsets !== undefined) twice(field, where);
      offsets = readNumbers(reader, 2, (got) => wrong(`data_offsets ${got}; wanted ${OFFSETS}`));
    } else {
      wrong(`field ${quote(field)}; wanted dtype, shape and data_offsets alone`);
    }
  });
  const [begin, end] = offsets ?? [];
  if (begin === undefined || end === undefined) {
    return wrong(`data_offsets ${JSON.stringify(offsets) ?? "missing"}; wanted ${OFFSETS}`);
  }
  return {
    dtype: dtype ?? wrong("dtype missing"),
    shape: shape ?? wrong(`shape missing; wanted ${COUNTS}`),
    begin,
    end,
  };
}

function readNumbers(reader: JsonReader, most: number, wrong: (got: string) => never): number[] {
  if (reader.next() !== OPEN_ARRAY) wrong(reader.here());
  const values: number[] = [];
  reader.list(CLOSE_ARRAY, () => {
    const byte = reader.next();
    if (byte === OPEN_ARRAY || byte === OPEN || byte === QUOTE) wrong(`holds ${reader.here()}`);
    if (values.length === most) wrong(`has more than ${most} numbers`);
    values.push(reader.number());
  });
  return values;
}

function readStrings(reader: JsonReader, where: string): Map<string, string> {
  if (reader.next() !== OPEN) userError(`${where}: ${METADATA} is not an object of strings`);
  const strings = new Map<string, string>();
  reader.list(CLOSE, () => {
    const name = reader.key();
    if (strings.has(name)) twice(name, where);
    checkCount(strings.size, where);
    if (reader.next() !== QUOTE) userError(`${where}: ${METADATA} ${quote(name)} is not a string`);
    strings.set(name, reader.string());
  });
  return strings;
}

function twice(name: string, where: string): never {
  return userError(`${where}: key ${quote(name)} appears twice in one object; wanted each key once`);
}

function checkCount(count: number, where: string): void {
  if (count >= HEADER_LIMITS.members) userError(`${where}: header has more than ${HEADER_LIMITS.members} entries`);
}
