import { userError } from "../core/errors.ts";
import { shellPath } from "../core/shell.ts";

/** A file, or something that is read like one as often as wanted. */
export interface ByteSource {
  /** For messages. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** The bytes from first to last; a piece is good until the next one is asked for. */
  pieces(): AsyncIterable<Uint8Array>;
  slice(start: number, end: number): Promise<ArrayBuffer>;
}

/** Bytes that are read at any place, at once: memory, or a file. */
export interface RandomBytes {
  readonly size: number;
  /** Bytes of their own, or of memory that stays as it is; aligned to 4 where `offset` is. */
  read(offset: number, length: number): Uint8Array;
}

export interface RandomFile extends RandomBytes {
  close(): void;
}

/** A source that training data is opened from: a file, or what a program has at hand. */
export interface DataSource extends ByteSource {
  /** How its records are written, where its name does not say. */
  readonly format?: DataFormat | undefined;
  /** Whoever calls its bytes so has the same ones: a cache that knows their hash need not read them again. */
  readonly content?: string | undefined;
  /** Throws `UserError` if it is no longer what was opened. */
  checkUnchanged(): Promise<void>;
  /** The same bytes at any place, at once, also when the source is closed. Absent where that means to have them in memory. */
  random?(): RandomFile;
  close(): Promise<void>;
}

/** How the records of a file are written. */
export type DataFormat = "txt" | "jsonl" | "csv" | "tsv" | "parquet" | "bin";

export const DATA_FORMATS: readonly DataFormat[] = ["txt", "jsonl", "csv", "tsv", "parquet", "bin"];

const EXTENSIONS: Readonly<Record<string, DataFormat>> = {
  txt: "txt",
  text: "txt",
  md: "txt",
  jsonl: "jsonl",
  ndjson: "jsonl",
  csv: "csv",
  tsv: "tsv",
  tab: "tsv",
  parquet: "parquet",
  bin: "bin",
};

const UNTAR = "unpack it: tar -xf FILE";
const OFFICE = "save it as plain text, in UTF-8";
const TABLE = "save it as CSV, in UTF-8";

/** Extensions that say what this program does not read, and what to do. */
const FOREIGN: Readonly<Record<string, string>> = {
  json: "write one JSON object a line (jq -c '.[]' FILE > FILE.jsonl), or say --data-format jsonl if it is so",
  gz: "unpack it: gunzip -k FILE, or gunzip -c FILE | gpt2 train --data -",
  zst: "unpack it: unzstd FILE, or zstdcat FILE | gpt2 train --data -",
  bz2: "unpack it: bunzip2 -k FILE, or bunzip2 -c FILE | gpt2 train --data -",
  xz: "unpack it: unxz -k FILE, or xzcat FILE | gpt2 train --data -",
  zip: "unpack it: unzip FILE",
  tar: UNTAR,
  tgz: UNTAR,
  pdf: "take the text out of it: pdftotext FILE",
  doc: OFFICE,
  docx: OFFICE,
  odt: OFFICE,
  rtf: OFFICE,
  xls: TABLE,
  xlsx: TABLE,
  ods: TABLE,
  arrow: "save it as Parquet",
  npy: "write its ids with tofile() as .bin, or its texts as .jsonl",
};

/** What to do about a file that is called so. */
function remedyFor(remedy: string, name: string): string {
  return remedy.replaceAll(/FILE(\.\w+)?/g, (_, extension = "") => shellPath(`${name}${extension}`));
}

/** The format of a file by its extension; text where the extension says nothing. Throws `UserError` on one not read here. */
export function formatOf(name: string, given?: DataFormat): DataFormat {
  if (given) return given;
  const extension = /\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
  const remedy = /\.tar\.\w+$/i.test(name) ? UNTAR : FOREIGN[extension];
  if (remedy) userError(`${name}: .${extension} files are not read; ${remedyFor(remedy, name)}`);
  return EXTENSIONS[extension] ?? "txt";
}

/** Some records, as they come out of a file. */
export interface RecordBatch {
  /** The text of each, or what follows its prompt. */
  readonly texts: readonly string[];
  /** What comes before each text and is not learnt; absent where records have no prompts. */
  readonly prompts?: readonly string[];
  /** Records without any text, which were left out. */
  readonly empty: number;
  /** Records of nothing but white space, which were left out; default 0. */
  readonly blank?: number;
  /** Lines of a text file that are only an end token, between records; default 0. */
  readonly separators?: number;
  /** For messages: where record `index` of this batch stands, "data.jsonl, line 3". */
  where(index: number): string;
}
