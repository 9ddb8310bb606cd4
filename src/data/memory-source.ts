/** Sources out of what a program has at hand: a text, a list of records, a file that was dropped on a page. */
import { userError } from "../core/errors.ts";
import { MOST_POINTER_BYTES, rejectPointer } from "../core/lfs.ts";
import { shown } from "../core/shown.ts";
import type { DataFormat, DataSource } from "./source.ts";

/** Bytes of a piece. */
const PIECE = 1 << 16;
const BLOB_PIECE = 1 << 20;

const UTF8 = new TextEncoder();

/** A text, or the bytes of a file, which are not to be changed while they are read; `format`: where `name` does not say it. */
export function textSource(name: string, contents: string | Uint8Array, format?: DataFormat): DataSource {
  return memorySource(name, [typeof contents === "string" ? UTF8.encode(contents) : contents], format);
}

/** Records, whatever characters they hold: JSON lines, so that "line 3" in a message is the third one. */
export function recordsSource(name: string, records: readonly string[]): DataSource {
  const parts: Uint8Array[] = [];
  let lines = "";
  if (!Array.isArray(records)) userError(`${name}: got ${shown(records)}; wanted a list of texts`, "usage");
  for (const [i, text] of records.entries()) {
    if (typeof text !== "string") userError(`${name}, record ${i + 1}: is ${typeof text}, wanted a text`);
    lines += `${JSON.stringify({ text })}\n`;
    if (lines.length < PIECE && i < records.length - 1) continue;
    parts.push(UTF8.encode(lines));
    lines = "";
  }
  return memorySource(name, parts, "jsonl");
}

function memorySource(name: string, parts: readonly Uint8Array[], format: DataFormat | undefined): DataSource {
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  return {
    name,
    size,
    format,
    async *pieces() {
      for (const part of parts)
        for (let at = 0; at < part.length; at += PIECE) yield part.subarray(at, Math.min(part.length, at + PIECE));
    },
    async slice(start, end) {
      const bytes = new Uint8Array(end - start);
      let at = 0;
      for (const part of parts) {
        const [from, to] = [Math.max(start, at), Math.min(end, at + part.length)];
        if (from < to) bytes.set(part.subarray(from - at, to - at), from - start);
        at += part.length;
      }
      return bytes.buffer;
    },
    async checkUnchanged() {},
    async close() {},
  };
}

export interface BlobSourceOptions {
  /** For messages, and for its extension; default: the file's own. */
  readonly name?: string | undefined;
  /** Where the name does not say it. */
  readonly format?: DataFormat | undefined;
  /** See `DataSource`. */
  readonly content?: string | undefined;
}

/** A `File` that a person chose or dropped, or any other `Blob`: read piece by piece. */
export function blobSource(blob: Blob, options: BlobSourceOptions = {}): DataSource {
  const { size } = blob;
  const { format, content, name = (blob as Partial<File>).name ?? "blob" } = options;

  async function read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    let bytes: ArrayBuffer;
    try {
      bytes = await blob.slice(start, end).arrayBuffer();
    } catch (error) {
      const reason = (error instanceof Error ? error.message : String(error)).split("\n")[0];
      return userError(`${name}: cannot be read: ${reason}; has it changed since it was chosen?`);
    }
    if (bytes.byteLength !== end - start)
      userError(`${name}: ended at byte ${start + bytes.byteLength} while it was read; has it changed?`);
    return new Uint8Array(bytes);
  }

  async function refusePointer(): Promise<void> {
    if (size <= MOST_POINTER_BYTES) rejectPointer(await read(0, size), size, name);
  }

  return {
    name,
    size,
    format,
    content,
    async *pieces() {
      await refusePointer();
      for (let at = 0; at < size; at += BLOB_PIECE) yield await read(at, Math.min(size, at + BLOB_PIECE));
    },
    async slice(start, end) {
      await refusePointer();
      return (await read(start, end)).buffer;
    },
    // A browser refuses to read a file that is no longer the one that was chosen.
    checkUnchanged: async () => void (await read(0, Math.min(1, size))),
    async close() {},
  };
}
