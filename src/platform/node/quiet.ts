import { closeSync, fstatSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";

const require = createRequire(import.meta.url);

/** Of the C library, whose descriptors are those that native code prints to. */
interface Descriptors {
  dup(descriptor: number): number;
  dup2(from: number, to: number): number;
  /** Node's own complains, in a worker thread, of a descriptor that it has not opened. */
  close(descriptor: number): number;
}

/** Undefined where C cannot be called: native code then prints what it likes. Windows' drivers are quiet. */
const descriptors = once((): Descriptors | undefined => {
  if (process.platform === "win32") return undefined;
  try {
    const library = require("koffi").load(null);
    return {
      dup: library.func("int dup(int)"),
      dup2: library.func("int dup2(int, int)"),
      close: library.func("int close(int)"),
    };
  } catch {
    return undefined;
  }
});

let muted = false;

/**
 * Runs `probe`, the synchronous part of a call into a driver, while the process's standard error goes elsewhere, whatever it is: a
 * terminal, a pipe, a socket, a file whose position others share. What drivers say then is nothing that a person could mend.
 */
export function withQuietStderr<T>(probe: () => T): T {
  const calls = muted ? undefined : descriptors();
  const place = calls && takePlace();
  const kept = place ? calls.dup(2) : -1;
  if (!calls || kept < 0) {
    place?.leave();
    return probe();
  }
  muted = true;
  calls.dup2(place!.descriptor, 2);
  try {
    return probe();
  } finally {
    calls.dup2(kept, 2);
    calls.close(kept);
    muted = false;
    place!.leave();
  }
}

interface Place {
  readonly descriptor: number;
  leave(): void;
}

const MOST_TURNS = 2000;

/**
 * Where standard error goes meanwhile: a file that only one thread of the process can make, since two that swapped descriptors
 * at once would not get theirs back. What other threads wrote there is passed on.
 */
function takePlace(): Place | undefined {
  const path = join(tmpdir(), `webgpu-gpt2-${process.pid}.stderr`);
  for (let turn = 0; ; turn++) {
    try {
      const descriptor = openSync(path, "wx+", 0o600);
      return { descriptor, leave: () => passOn(descriptor, path) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") return nowhere();
      // A process of this number that was killed left it behind.
      if (turn === MOST_TURNS) rmSync(path, { force: true });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** Without a folder for temporary files. */
function nowhere(): Place | undefined {
  try {
    const descriptor = openSync("/dev/null", "w");
    return { descriptor, leave: () => closeSync(descriptor) };
  } catch {
    return undefined;
  }
}

function passOn(descriptor: number, path: string): void {
  try {
    const bytes = Buffer.alloc(fstatSync(descriptor).size);
    const length = readSync(descriptor, bytes, 0, bytes.length, 0);
    // While the main thread is in a driver, nobody else has JavaScript's streams.
    const others = isMainThread ? "" : withoutDriverTalk(bytes.toString("utf8", 0, length));
    if (others !== "") writeSync(2, others);
  } catch {
    // Standard error that cannot be written is no reason to have no device.
  } finally {
    closeSync(descriptor);
    rmSync(path, { force: true });
  }
}

const DRIVER_TALK =
  /^(?:\w+: vk|vk\w+|warning|error|info|debug|mesa[\w-]*|lib\w+|\w*(?:pipe|radv|anv|icd|drm)\b)[^:]*: /i;

/** The lines that no driver printed; one that begins with a space goes on with the one before. */
export function withoutDriverTalk(text: string): string {
  let dropped = false;
  return text
    .split(/(?<=\n)/)
    .filter((line) => {
      dropped = DRIVER_TALK.test(line) || (dropped && /^\s/.test(line));
      return !dropped;
    })
    .join("");
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
