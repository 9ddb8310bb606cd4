import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/**
 * Bytes that are free for this user on the disk that `path` lies on, or will lie on once it is made; undefined where the system
 * does not tell.
 */
export async function freeOnDisk(path: string): Promise<number | undefined> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    try {
      const { bavail, bsize, blocks } = await statfs(folder);
      // Some file systems that are made of others say that they have no size.
      return blocks > 0 ? bavail * bsize : undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== "ENOENT" && code !== "ENOTDIR") || folder === dirname(folder)) return undefined;
    }
  }
}
