import { Zip, ZipPassThrough } from "fflate";
import { userError } from "../core/errors.ts";
import type { FileSource } from "./checkpoint.ts";

/** Bytes of a piece. */
const PIECE = 2 ** 22;
/** What a zip of the plain format may have. */
const MOST = 2 ** 32 - 1;

/** Files as one zip, not compressed: weights hardly are. Throws a `UserError` where it would be larger than a zip may be. `signal` ends it. */
export async function zipOf(files: ReadonlyMap<string, FileSource>, signal?: AbortSignal): Promise<Blob> {
  const total = [...files.values()].reduce((sum, { size }) => sum + size, 0);
  if (total > MOST) userError(`a zip of ${total} bytes cannot be made, at most ${MOST}; save into a folder instead`);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let failed: Error | undefined;
  const zip = new Zip((error, part) => {
    if (error) failed = error;
    else parts.push(new Uint8Array(part));
  });
  for (const [name, file] of files) {
    const entry = new ZipPassThrough(name);
    zip.add(entry);
    for (let at = 0; at < file.size || at === 0; at += PIECE) {
      signal?.throwIfAborted();
      const piece = new Uint8Array(Math.min(PIECE, file.size - at));
      await file.read(at, piece);
      entry.push(piece, at + PIECE >= file.size);
    }
  }
  zip.end();
  if (failed) throw failed;
  return new Blob(parts, { type: "application/zip" });
}
