/** What readers of a folder want, and `setAside`; whatever keeps it. */
import { userError } from "../core/errors.ts";
import type { Folder, StoredFile } from "./folder.ts";

export async function exists(folder: Folder, name: string): Promise<boolean> {
  return (await folder.list()).some((entry) => entry.name === name);
}

/** Bytes of all files in a folder and below. */
export async function bytesIn(folder: Folder): Promise<number> {
  if (folder.bytes) return folder.bytes();
  let bytes = 0;
  for (const { name, kind } of await folder.list()) {
    if (kind === "folder") bytes += await bytesIn(folder.folder(name));
    else {
      // Somebody may remove files meanwhile.
      const file = await folder.open(name).catch(() => undefined);
      bytes += file?.size ?? 0;
      await file?.close();
    }
  }
  return bytes;
}

/** A small file, whole. */
export async function readBytes(folder: Folder, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await folder.open(name);
  try {
    const bytes = new Uint8Array(file.size);
    await file.read(0, bytes);
    return bytes;
  } finally {
    await file.close();
  }
}

/** A small text file, which must be UTF-8. */
export async function readText(folder: Folder, name: string): Promise<string> {
  const bytes = await readBytes(folder, name);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return userError(`${pathOf(folder, name)}: is not UTF-8 text; convert it first, for example with iconv -t UTF-8`);
  }
}

/** What a small JSON file says; who asks has to check what it is. */
export async function readJson(folder: Folder, name: string): Promise<unknown> {
  const text = await readText(folder, name);
  try {
    return JSON.parse(text);
  } catch (error) {
    return userError(`${pathOf(folder, name)}: not valid JSON: ${(error as Error).message}`);
  }
}

/** The files of a folder that `wanted` says, open; `close` them together. */
export async function openFiles(
  folder: Folder,
  wanted: (name: string) => boolean,
): Promise<{ readonly files: Map<string, StoredFile>; close(): Promise<void> }> {
  const files = new Map<string, StoredFile>();
  const close = async (): Promise<void> => {
    for (const file of files.values()) await file.close();
  };
  try {
    for (const { name, kind } of await folder.list())
      if (kind === "file" && wanted(name)) files.set(name, await folder.open(name));
  } catch (error) {
    await close();
    throw error;
  }
  return { files, close };
}

/** Renames what is there to the first free one of `<name>.aside`, `<name>.aside-2`, ..., which it gives. */
export async function setAside(folder: Folder, name: string): Promise<string> {
  const taken = new Set((await folder.list()).map((entry) => entry.name));
  let to = `${name}.aside`;
  for (let n = 2; taken.has(to); n++) to = `${name}.aside-${n}`;
  await folder.move(name, to);
  return to;
}

/** Where something in a folder is, for messages. */
export function pathOf(folder: Folder, name: string): string {
  return folder.folder(name).path;
}
