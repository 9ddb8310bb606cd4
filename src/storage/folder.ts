/**
 * Files that must not be lost: one seam, whatever keeps them (a file system, a browser's private files, memory).
 *
 * Everything rejects with a `UserError` that names the path and says what is wrong, and is then as before: no half of anything
 * is ever seen under its name, whenever the process is killed or the disk fails. Nothing passes through one buffer: files may
 * have gigabytes. A name is one part of a path, without slashes.
 */

/** What a file must hold. */
export interface FileDigest {
  /** Bytes. */
  readonly size: number;
  /** SHA-256, in hexadecimal. */
  readonly sha256: string;
}

/** A file that is read at any place. */
export interface StoredFile {
  /** Bytes. */
  readonly size: number;
  /** Fills `into` with the bytes from `offset` on; rejects where the file ends before. */
  read(offset: number, into: Uint8Array): Promise<void>;
  /** What it holds, where whatever keeps it has a fast way to tell; ask by `digestOf`. */
  readonly digest?: () => Promise<FileDigest>;
  close(): Promise<void>;
}

export interface Entry {
  readonly name: string;
  readonly kind: "file" | "folder";
}

/** Writes one file of a folder from its first byte to its last, reads it back, and says what it holds. */
export type WriteFile = (
  name: string,
  contents: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
) => Promise<FileDigest>;

/** That this process, and no other, writes a folder. */
export interface Lock {
  /** Rejects where the lock is no longer ours: a machine that slept may find that another has taken it over. */
  check(): Promise<void>;
  release(): Promise<void>;
}

/** Where runs and models are kept, whatever keeps them: a disk, memory, a browser's private files. */
export interface Folder {
  /** Where it is, as a person would say it: messages name it so. */
  readonly path: string;
  /** Its path from the root on, by which other programs find it, wherever they run; absent where they do not. */
  readonly onDisk?: string | undefined;
  /** A folder in it, which need not be there: writing into it makes it. */
  folder(name: string): Folder;
  /** What is in it, by name; nothing where it is not there. What is not committed yet is not in it. */
  list(): Promise<Entry[]>;
  open(name: string): Promise<StoredFile>;
  /** Replaces a small file, or makes it and the folder: who opens it sees the old contents or the new. */
  replace(name: string, contents: string | Uint8Array): Promise<void>;
  /** Puts a piece at a file's end, whole or not at all; makes file and folder if need be. Nobody else may write it. */
  append(name: string, piece: string | Uint8Array): Promise<void>;
  /** Makes a folder of files that is there whole or not at all; rejects where there is something of that name. */
  commit(name: string, fill: (write: WriteFile) => Promise<void>): Promise<void>;
  /** Renames what is in it; rejects where `to` is there. */
  move(from: string, to: string): Promise<void>;
  /** Removes a file, or a folder so that no part of it is ever seen; nothing where there is none. */
  remove(name: string): Promise<void>;
  /** Removes what killed processes left of unfinished work, and names it. No other may be at work here. */
  tidy(): Promise<string[]>;
  /** Takes the lock of that name, or rejects and says who has it; makes the folder if need be. `warn`: of a lock taken over. */
  lock(name: string, warn: (message: string) => void): Promise<Lock>;
  /** Whether somebody who is alive has that lock. */
  isLocked(name: string): Promise<boolean>;
  /** Bytes of all files in it and below, where whatever keeps it knows without opening each; ask by `bytesIn`. */
  readonly bytes?: () => Promise<number>;
  /** Bytes that are free where it is; undefined where nobody tells. */
  free(): Promise<number | undefined>;
}
