/** Files of a model out of what a program has at hand. */
import { userError } from "../core/errors.ts";
import type { FileSource } from "./checkpoint.ts";

/** A file in memory; `name` is for messages. */
export function bytesFile(bytes: Uint8Array, name: string): FileSource {
  return {
    size: bytes.length,
    async read(offset, into) {
      fill(into, bytes.subarray(offset, offset + into.length), offset, name);
    },
  };
}

/** A file that a person chose, or a server's answer, read piece by piece. */
export function blobFile(blob: Blob, name: string): FileSource {
  return {
    size: blob.size,
    async read(offset, into) {
      const slice = blob.slice(offset, offset + into.length).arrayBuffer();
      const bytes = await slice.catch((error: unknown) =>
        userError(`${name}: cannot be read: ${(error as Error).message}; has it changed since it was chosen?`),
      );
      fill(into, new Uint8Array(bytes), offset, name);
    },
  };
}

function fill(into: Uint8Array, bytes: Uint8Array, offset: number, name: string): void {
  if (bytes.length !== into.length)
    userError(`${name}: ends at byte ${offset + bytes.length}, wanted ${offset + into.length}`);
  into.set(bytes);
}
