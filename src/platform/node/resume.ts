/** A download that goes on where an earlier one ended, and is checked by its hash. */
import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError, userError } from "../../core/errors.ts";
import { systemError } from "./folder.ts";
import { isUnreachable } from "./hub-errors.ts";

export interface Download {
  /** For messages. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** The hash that the bytes must have, in hexadecimal; `prefix` goes before them. */
  readonly hash: { readonly algorithm: "sha256" | "sha1"; readonly prefix: string; readonly digest: string };
  /** Where the bytes that have come are kept. */
  readonly partial: string;
  /** Asks for the bytes from `from` on. A server may answer 200 with all of them. */
  fetch(from: number, signal: AbortSignal): Promise<Response>;
  /** Bytes that are there now, of this file. */
  onProgress(done: number): void;
}

/** Failures in a row, with nothing come in between, after which to give up. */
const MOST_FAILURES = 5;
/** A connection that has been silent for so long is dead. */
const SILENCE_MS = 30_000;
const READ_BYTES = 2 ** 20;

/**
 * Leaves the whole file at `partial`, flushed. Two processes may do so at once: both write the same bytes. `ended`: leaves off,
 * with what has come so far.
 */
export async function download(file: Download, retryMs: number, ended?: AbortSignal): Promise<void> {
  const handle = await open(file.partial, constants.O_RDWR | constants.O_CREAT);
  let damaged = false;
  try {
    const state = await resume(file, handle);
    for (let failures = 0; state.done < file.size; ) {
      const before = state.done;
      try {
        await receive(file, handle, state, ended);
        if (state.done < file.size) throw new Error("the connection ended early");
      } catch (error) {
        ended?.throwIfAborted();
        if (error instanceof UserError && !isUnreachable(error)) throw error;
        if ((error as NodeJS.ErrnoException).syscall === "write") systemError(file.partial, error);
        failures = state.done > before ? 1 : failures + 1;
        if (failures >= MOST_FAILURES) {
          const why = error instanceof Error ? error.message : String(error);
          userError(`${file.name}: broke off at byte ${state.done} of ${file.size} (${why}); run again to go on there`);
        }
        await sleep(retryMs * 2 ** (failures - 1));
      }
    }
    damaged = state.hash.digest("hex") !== file.hash.digest;
    await handle.sync();
  } finally {
    await handle.close();
  }
  if (damaged) {
    await rm(file.partial, { force: true });
    userError(`${file.name}: came damaged (its ${file.hash.algorithm} is wrong) and was removed; run again`);
  }
}

interface State {
  done: number;
  hash: Hash;
}

function fresh({ hash }: Download): Hash {
  return createHash(hash.algorithm).update(hash.prefix);
}

/** What is there already, with its hash. */
async function resume(file: Download, handle: FileHandle): Promise<State> {
  const { size } = await handle.stat();
  const hash = fresh(file);
  if (size > file.size) {
    await handle.truncate(0);
    return { done: 0, hash };
  }
  const buffer = new Uint8Array(READ_BYTES);
  let done = 0;
  while (done < size) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, size - done), done);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    done += bytesRead;
  }
  file.onProgress(done);
  return { done, hash };
}

/** Takes in one answer. `state` is kept up to date also when the connection breaks, so that nothing comes twice. */
async function receive(
  file: Download,
  handle: FileHandle,
  state: State,
  ended: AbortSignal | undefined,
): Promise<void> {
  ended?.throwIfAborted();
  const silence = new AbortController();
  const end = (): void => silence.abort(ended?.reason);
  ended?.addEventListener("abort", end);
  const timer = setTimeout(() => silence.abort(new Error("no bytes for 30 s")), SILENCE_MS);
  try {
    const response = await file.fetch(state.done, silence.signal);
    if (response.status !== 206 && state.done > 0) {
      state.done = 0;
      state.hash = fresh(file);
    }
    for await (const chunk of response.body ?? []) {
      timer.refresh();
      const bytes: Uint8Array = chunk;
      if (state.done + bytes.length > file.size)
        userError(`${file.name}: the server sent more than ${file.size} bytes`);
      for (let written = 0; written < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, state.done + written);
        written += bytesWritten;
      }
      state.hash.update(bytes);
      state.done += bytes.length;
      file.onProgress(state.done);
    }
  } finally {
    clearTimeout(timer);
    ended?.removeEventListener("abort", end);
  }
}
