import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";

/** Puts a piece at a file's end. */
export type Append = (piece: string | Uint8Array) => void;

/**
 * Appends pieces of which each is there whole or not at all: what a write that failed left of one is cut off, at once or before
 * the next, which would else be a part of it. Nobody else may write the file.
 */
export function createAppender(path: string): Append {
  /** Where the last whole piece ends. */
  let end: number | undefined;
  return (piece) => {
    const bytes = typeof piece === "string" ? new TextEncoder().encode(piece) : piece;
    const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o666);
    try {
      const { size } = fstatSync(file);
      // A file that is shorter is another one: somebody has replaced it.
      if (end === undefined || size < end) end = size;
      if (size > end) ftruncateSync(file, end);
      try {
        for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, end + done);
      } catch (error) {
        cutTo(file, end);
        throw error;
      }
      end += bytes.length;
    } finally {
      closeSync(file);
    }
  };
}

/** The write's failure is the one to tell. */
function cutTo(file: number, end: number): void {
  try {
    ftruncateSync(file, end);
  } catch {}
}
