/** Git LFS's pointers: the file that a clone has in place of one that was not fetched. */
import { userError } from "./errors.ts";

/** How a pointer begins (Git LFS's spec, version 1), and its bytes at most, by the same. */
const POINTER = "version https://git-lfs.github.com/spec/";
export const MOST_POINTER_BYTES = 1024;

/** Throws `UserError` where a file is not itself but a pointer to it. `start`: its first bytes, or all; `size`: all of them. */
export function rejectPointer(start: Uint8Array, size: number, where: string): void {
  if (size > MOST_POINTER_BYTES || start.length < POINTER.length) return;
  const text = new TextDecoder().decode(start);
  if (!text.startsWith(POINTER)) return;
  const bytes = /^size (\d+)$/m.exec(text)?.[1];
  const what = bytes === undefined ? "" : `, which has ${bytes} bytes`;
  userError(`${where}: is a Git LFS pointer, not the file itself${what}; fetch it with: git lfs pull`);
}
