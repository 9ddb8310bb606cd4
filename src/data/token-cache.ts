import type { RandomFile } from "./source.ts";
import type { Append } from "./token-write.ts";

/**
 * Where ids are kept from one run to the next, if there is such a place: folders of files, each of which is there whole or not
 * at all. Whatever is kept can be made again.
 */
export interface TokenCache {
  /** Bytes of text from which on it is worth asking: less is a second or two of work. */
  readonly from: number;
  /** Bytes of text up to which it is, where there is no room for more; undefined: however many. */
  readonly to?: number | undefined;
  /** Throws `UserError` where nothing can be kept. */
  open(): Promise<OpenCache>;
}

export interface OpenCache {
  /** A SHA-256 of bytes that come in pieces; `finish` gives it in hexadecimal. */
  createHash(): { add(bytes: Uint8Array): void; finish(): string };
  /** Hashes that are known, by what sources call their content; absent where the cache does not outlive them. */
  readonly hashes?: Map<string, string>;
  /** The folders of that name that there are, best first. */
  find(name: string): Promise<CachedFolder[]>;
  /**
   * Makes a folder of that name, and gives its path. One that others put there meanwhile stays if it is good, and is replaced if
   * not. Absent where nothing may be left behind.
   */
  keep?(name: string, isGood: (folder: CachedFolder) => Promise<boolean>, fill: Fill): Promise<string>;
  /** Makes a folder that is there until it is removed. */
  scratch(fill: Fill): Promise<CachedFolder & { remove(): void }>;
}

/** Writes the files of a folder: `file` begins one. */
export type Fill = (file: (name: string) => Promise<Append>) => Promise<void>;

export interface CachedFolder {
  /** For messages; none of what is in memory. */
  readonly path?: string | undefined;
  /** Undefined where it has no such file. */
  open(name: string): Promise<RandomFile | undefined>;
}
