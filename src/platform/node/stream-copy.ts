/** A stream that is copied to the disk, since it is read more than once: it may have no end, and the disk has one. */
import { createWriteStream } from "node:fs";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { UserError, userError } from "../../core/errors.ts";
import { byteSize } from "../../core/units.ts";
import { freeOnDisk } from "./disk.ts";
import { systemError } from "./folder.ts";

/** Bytes between two looks at the disk, at most. */
const LOOK_EVERY = 2 ** 26;

/** Of a longer stream it is told how much was read, and again each time that it has doubled. */
const TOLD_FROM = 2 ** 30;

const REMEDY = "write it into a file, or name a folder with more room by TMPDIR";

export interface StreamCopy {
  /** For messages. */
  readonly name: string;
  /** The file, and the folder for temporary files that it lies in. */
  readonly path: string;
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
  readonly notice?: ((line: string) => void) | undefined;
  /** Bytes that are free there. */
  readonly free?: () => Promise<number | undefined>;
}

/**
 * Copies a stream to its end, into a file. Throws a `UserError` once the copy is larger than what it leaves free, so that a stream
 * without an end fills half of what is free at most, and no other program finds a full disk.
 */
export async function copyStream(
  from: NodeJS.ReadableStream,
  { name, path, folder, signal, notice, free = () => freeOnDisk(folder) }: StreamCopy,
): Promise<void> {
  let [copied, look, tell] = [0, 0, TOLD_FROM];
  async function count(bytes: number): Promise<void> {
    copied += bytes;
    if (copied >= look) {
      const left = await free();
      if (left !== undefined && copied > left)
        userError(
          `${name}: ${byteSize(copied)} were read and it goes on, ${byteSize(left)} are free in ${folder}, where it is copied; ` +
            `has it an end? If so, ${REMEDY}`,
        );
      look = copied + Math.min(LOOK_EVERY, (left ?? LOOK_EVERY) / 8);
    }
    if (copied >= tell) {
      notice?.(`${name}: ${byteSize(copied)} were read, and it goes on; it is copied to ${folder} until it ends`);
      while (tell <= copied) tell *= 2;
    }
  }
  // No generator: it would wait for a pipe that nobody has opened to write, whatever the signal says.
  const counted = new Transform({
    transform(piece: Buffer, _encoding, done) {
      count(piece.length).then(() => done(null, piece), done);
    },
  });
  const file = createWriteStream(path);
  // So that who removes the file removes it for good.
  const closed = new Promise<void>((resolve) => void file.once("close", resolve));
  try {
    await pipeline(from, counted, file, { ...(signal ? { signal } : {}) });
  } catch (error) {
    await closed;
    signal?.throwIfAborted();
    if (error instanceof UserError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOSPC" && code !== "EDQUOT") return systemError(name, error);
    const full = code === "ENOSPC" ? "no space is left" : "the disk quota is used up";
    userError(`${name}: ${byteSize(copied)} were read and copied to ${folder}, where ${full}; ${REMEDY}`);
  }
}
