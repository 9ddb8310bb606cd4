import {
  closeSync,
  createReadStream,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { userError } from "../core/errors.ts";
import { untilAborted } from "../gpu/wait.ts";
import { writeWholeFile } from "../platform/node/durable.ts";
import { statOf, systemError } from "../platform/node/folder.ts";

/** Far more than a file of settings has; a device may have no end. */
const MOST_TEXT_BYTES = 2 ** 24;
const PIECE_BYTES = 2 ** 16;

/** A small text file, which must be UTF-8. Nothing else is heard until it is read. */
export function readText(path: string): string {
  try {
    const file = openSync(path, "r");
    try {
      const pieces = createPieces(path, statSync(path).size);
      for (;;) {
        const piece = Buffer.alloc(PIECE_BYTES);
        const length = readSync(file, piece);
        if (length === 0) return pieces.text();
        pieces.add(piece.subarray(0, length));
      }
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return systemError(path, error);
  }
}

/** As `readText`, but a pipe that has not ended, or that nobody has opened to write, is left once `signal` is aborted. */
export async function readTextUntil(path: string, signal: AbortSignal | undefined): Promise<string> {
  const read = async (): Promise<string> => {
    try {
      const pieces = createPieces(path, statSync(path).size);
      for await (const piece of createReadStream(path, { signal })) pieces.add(piece);
      return pieces.text();
    } catch (error) {
      signal?.throwIfAborted();
      return systemError(path, error);
    }
  };
  return signal ? untilAborted((start) => start(), signal)(read) : read();
}

/** Of a text file with so many bytes, 0 where the system does not know. */
function createPieces(path: string, size: number) {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const check = (length: number): void => {
    if (length > MOST_TEXT_BYTES)
      userError(`${path}: is longer than ${MOST_TEXT_BYTES} bytes; is it the file you mean?`);
  };
  check(size);
  return {
    add(piece: Uint8Array) {
      bytes += piece.length;
      check(bytes);
      pieces.push(piece);
    },
    text() {
      try {
        return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces));
      } catch {
        return userError(`${path}: is not UTF-8 text; convert it first, for example with iconv -t UTF-8`);
      }
    },
  };
}

function readBytes(path: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    return systemError(path, error);
  }
}

/** The files of a directory, without those in folders below it. */
export function readDirectory(path: string): Map<string, Uint8Array> {
  try {
    if (!statSync(path).isDirectory()) userError(`${path}: is a file, wanted a directory`);
    // Nor pipes and devices, which may have no end.
    const names = readdirSync(path).filter((name) => statOf(join(path, name))?.isFile());
    return new Map(names.map((name) => [name, readBytes(join(path, name))]));
  } catch (error) {
    return systemError(path, error);
  }
}

/** Writes what was asked for with `--out`: a file whole or not at all, and to a pipe or a terminal what it takes. */
export function writeOutput(path: string, contents: string): void {
  try {
    const found = statOf(path);
    if (found === undefined) writeWholeFile(path, contents);
    // A link stays one.
    else if (found.isFile()) writeWholeFile(realpathSync(path), contents);
    else writeFileSync(path, contents);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      userError(`${path}: there is no directory ${dirname(path)}; make it first`);
    systemError(path, error);
  }
}
