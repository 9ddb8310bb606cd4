import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { FileDigest, StoredFile } from "./folder.ts";

const READ_BYTES = 2 ** 22;

/** Takes bytes as they come; `finish` says what they were. */
export interface Sha256 {
  add(bytes: Uint8Array): void;
  finish(): FileDigest;
}

/** Of any environment, some ten times slower than Node's own: browsers have none that takes a file in pieces. */
export function createSha256(): Sha256 {
  const hash = sha256.create();
  let size = 0;
  return {
    add(bytes) {
      hash.update(bytes);
      size += bytes.length;
    },
    finish: () => ({ size, sha256: bytesToHex(hash.digest()) }),
  };
}

/** Size and hash of a file as it is stored, by the way of its driver where that has a faster one. */
export async function digestOf(file: StoredFile): Promise<FileDigest> {
  return file.digest ? file.digest() : readDigest(file, createSha256());
}

/** Gives a whole file to `digest`, some megabytes at a time. */
export async function readDigest(file: Pick<StoredFile, "size" | "read">, digest: Sha256): Promise<FileDigest> {
  const buffer = new Uint8Array(Math.min(READ_BYTES, file.size));
  for (let at = 0; at < file.size; at += READ_BYTES) {
    const piece = buffer.subarray(0, Math.min(READ_BYTES, file.size - at));
    await file.read(at, piece);
    digest.add(piece);
  }
  return digest.finish();
}
