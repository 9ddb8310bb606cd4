/** The files of a model out of a zip, such as `toZip` and the playground give. */
import { UserError, userError } from "../core/errors.ts";
import { byteSize } from "../core/units.ts";
import type { FileSource } from "./checkpoint.ts";

/** It is unpacked in memory. */
const MOST_BYTES = 2 ** 31;
const REMEDY = "unpack it, and give what is in it";

export function isZip(name: string): boolean {
  return /\.zip$/i.test(name);
}

/** What a path in a zip, or of a page, calls its file: no name leads out of a folder. */
export function bareName(path: string): string {
  return path.split(/[\\/]/).at(-1)!;
}

/** The files whose bare names are `wanted`, by these. Throws a `UserError` where it is no zip, or too large; `name` is for messages. */
export async function unzipped(
  zip: FileSource,
  name: string,
  wanted: (name: string) => boolean,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  if (zip.size > MOST_BYTES) userError(`${name}: has ${byteSize(zip.size)}; ${REMEDY}`, "memory");
  const { unzipSync } = await import("fflate");
  const packed = new Uint8Array(zip.size);
  await zip.read(0, packed);
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  let bytes = 0;
  try {
    const all = unzipSync(packed, {
      filter({ name: path, originalSize }) {
        if (!wanted(bareName(path))) return false;
        bytes += originalSize;
        if (bytes > MOST_BYTES) userError(`${name}: unpacks to more than ${byteSize(MOST_BYTES)}; ${REMEDY}`, "memory");
        return true;
      },
    });
    for (const [path, data] of Object.entries(all)) {
      const file = bareName(path);
      if (files.has(file)) userError(`${name}, ${file}: is there twice; give the files of one model`);
      // In memory of its own, which nobody shares.
      files.set(file, data as Uint8Array<ArrayBuffer>);
    }
    return files;
  } catch (error) {
    if (error instanceof UserError) throw error;
    return userError(`${name}: is no zip that can be read (${(error as Error).message})`);
  }
}
