import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";

/** Replaces a file by one that is flushed to the disk: who opens `path` sees the old contents or the new, never a part. */
export function writeWholeFile(path: string, contents: string | Uint8Array): void {
  const aside = `${path}.partial-${process.pid}-${randomBytes(4).toString("hex")}`;
  try {
    const file = openSync(aside, "wx");
    try {
      writeFileSync(file, contents);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
}
