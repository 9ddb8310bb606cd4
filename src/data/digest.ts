import type { Tokenizer } from "../text/tokenizer.ts";

/** Tells two sequences of whole numbers apart, however each comes in pieces: no shield against somebody who wants to deceive. */
export interface Digest {
  add(values: ArrayLike<number>): void;
  /** 64 bits, in hexadecimal. */
  finish(): string;
}

/** Two multiplicative hashes of 32 bits, after Fowler, Noll and Vo, of which each takes in the other's high bits. */
export function createDigest(): Digest {
  let [a, b, count] = [0x811c9dc5, 0x9747b28c, 0];
  const mix = (value: number): void => {
    a = Math.imul(a ^ value, 0x01000193);
    b = Math.imul(b ^ (value + 0x7f4a7c15), 0x85ebca6b);
    a ^= b >>> 15;
    b ^= a >>> 13;
  };
  return {
    add(values) {
      for (let i = 0; i < values.length; i++) mix(values[i]!);
      count += values.length;
    },
    finish() {
      mix(count);
      return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
    },
  };
}

/** Of what every id stands for, and which ends a record. */
export function vocabularyDigest(tokenizer: Tokenizer): string {
  const digest = createDigest();
  digest.add([tokenizer.vocabSize, tokenizer.endId ?? -1]);
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    const bytes = tokenizer.bytes(id);
    digest.add([bytes.length]);
    digest.add(bytes);
  }
  return digest.finish();
}
